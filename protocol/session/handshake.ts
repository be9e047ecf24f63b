/**
 * The first exchange on a link (wire-protocol.md §7.1), before there is a session: HELLO from the agent, HELLO_ACK
 * from the hub, each within a deadline, and nothing before them.
 */
import { SessionError } from '../errors.js';
import { CloseCode, FrameType } from '../wire/constants.js';
import { Decoder } from '../wire/decoder.js';
import type { Frame } from '../wire/frame.js';
import type { Hello, HelloAck } from '../wire/hello.js';

/** What the bytes so far came to. */
export type HandshakeResult<Document> =
  | { readonly type: 'more' }
  /** `rest` holds what came behind the document: the first bytes of the session. */
  | { readonly type: 'done'; readonly document: Document; readonly rest: Uint8Array }
  | { readonly type: 'failed'; readonly code: CloseCode; readonly message: string };

/** Waits for one document; `pick` returns it, or undefined for a frame that is not legal here. */
class Handshake<Document> {
  readonly #decoder = new Decoder();
  readonly #pick: (frame: Frame) => Document | undefined;
  readonly #what: string;
  /** When the peer has failed to say it, in milliseconds of the caller's clock. */
  readonly deadline: number;

  constructor(what: string, deadline: number, pick: (frame: Frame) => Document | undefined) {
    this.#what = what;
    this.deadline = deadline;
    this.#pick = pick;
  }

  receive(bytes: Uint8Array): HandshakeResult<Document> {
    let document: Document | undefined;
    try {
      const taken = this.#decoder.push(bytes, (frame) => {
        document = this.#pick(frame);
        if (document === undefined) {
          throw new SessionError(
            CloseCode.Protocol,
            `frame type ${frame.type} where ${this.#what} was expected`,
          );
        }
        return false;
      });
      return document === undefined
        ? { type: 'more' }
        : { type: 'done', document, rest: bytes.subarray(taken) };
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      return { type: 'failed', code: error.code, message: error.message };
    }
  }

  /** The link's message ended without the document; an empty one means nothing (§2.2). */
  receiveMessageEnd(): HandshakeResult<Document> {
    if (this.#decoder.atBoundary) return { type: 'more' };
    return { type: 'failed', code: CloseCode.Protocol, message: `a message ended inside ${this.#what}` };
  }

  handleTimeout(now: number): HandshakeResult<Document> {
    if (now < this.deadline) return { type: 'more' };
    return { type: 'failed', code: CloseCode.HandshakeTimeout, message: `no ${this.#what} in time` };
  }
}

/** The hub's side: waits for HELLO. */
export class HubHandshake extends Handshake<Hello> {
  constructor(deadline: number) {
    super('HELLO', deadline, (frame) => (frame.type === FrameType.Hello ? frame.hello : undefined));
  }
}

/** The agent's side: waits for HELLO_ACK. */
export class AgentHandshake extends Handshake<HelloAck> {
  constructor(deadline: number) {
    super('HELLO_ACK', deadline, (frame) => (frame.type === FrameType.HelloAck ? frame.ack : undefined));
  }
}
