/** The protocol core: sans-IO, no packages, no Node types. Everything outside this folder imports from here. */
export {
  CloseCode,
  Feature,
  FrameType,
  MAX_MESSAGE_BYTES,
  SUBPROTOCOL,
  type RstReason,
} from './wire/constants.js';
export { encodeFrame } from './wire/encode.js';
export type { Cid } from './wire/frame.js';
export type { Hello, HelloAck, PeerLimits } from './wire/hello.js';
export type { SessionCounters, SessionEvent } from './session/events.js';
export { AgentHandshake, HubHandshake, type HandshakeResult } from './session/handshake.js';
export type { ProcessBudget } from './session/memory.js';
export type { Transmit } from './session/outbox.js';
export { Session, type SessionOptions } from './session/session.js';
