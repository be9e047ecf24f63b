/**
 * The JSON documents of HELLO and HELLO_ACK (wire-protocol.md §4.1, §4.2): parsed into types once, bounded and
 * strict about what is used; unknown members are ignored so that later versions can add some.
 */
import { SessionError } from '../errors.js';
import { CloseCode, MAX_CONNECTOR_BYTES, MAX_CONNECTORS, MAX_DATA_BYTES, MAX_OFFSET } from './constants.js';
import { findAmbiguity } from './strict-json.js';

export interface PeerLimits {
  /** Bytes that the sender of this document takes on every new stream before its first CREDIT. */
  readonly windowBytes: number;
  /** Streams that it takes at the same time. */
  readonly maxStreams: number;
  /** Largest DATA payload it takes, in bytes: 1024..65536. */
  readonly maxPayload: number;
}

interface ResumeRequest {
  readonly sessionId: string;
  readonly token: string;
  /** Nothing but this session is wanted: when it is over the hub closes, and begins no fresh one. */
  readonly only: boolean;
}

export interface Hello {
  readonly agentId: string;
  /** Fresh per process: 32 hex digits. */
  readonly bootId: string;
  readonly version: string;
  readonly features: readonly string[];
  readonly connectors: readonly string[];
  readonly limits: PeerLimits;
  readonly resume: ResumeRequest | undefined;
  /** Session that got GOAWAY and may finish its streams beside this one. */
  readonly overlaps: string | undefined;
}

export interface HelloAck {
  readonly sessionId: string;
  /** Instance of the hub, so that a hub may be several processes. */
  readonly hubId: string;
  readonly version: string;
  readonly features: readonly string[];
  /** The connectors that will be routed to this agent. */
  readonly connectors: readonly string[];
  readonly limits: PeerLimits;
  /** True when the session named in HELLO goes on; false for a fresh one. */
  readonly resumed: boolean;
  /** What to present at the next resume; absent when the hub does not resume. */
  readonly resume: { readonly token: string; readonly graceMs: number } | undefined;
}

/** Version of the protocol inside HELLO; the subprotocol name has to agree. */
const PROTOCOL = 2;
/** Smallest window and payload that can make progress at all. */
const MIN_WINDOW_BYTES = 1024;
const MIN_PAYLOAD_BYTES = 1024;

const CONNECTOR = /^[A-Za-z0-9._-]+$/;
const AGENT_ID = /^[\x21-\x7e]{1,128}$/;
const WORD = /^[\x21-\x7e]{1,64}$/;
const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** True when the text may name a connector: 1..64 of [A-Za-z0-9._-]. */
export function isConnectorName(text: string): boolean {
  return text.length <= MAX_CONNECTOR_BYTES && CONNECTOR.test(text);
}

/** Every number of the two documents. */
const INTEGERS: ReadonlySet<string> = new Set([
  'protocol',
  'limits.window_bytes',
  'limits.max_streams',
  'limits.max_payload',
  'resume.grace_ms',
]);

type Members = Readonly<Record<string, unknown>>;

function fail(what: string): never {
  throw new SessionError(CloseCode.Protocol, `handshake: ${what}`);
}

function asObject(value: unknown, where: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(`${where} is not an object`);
  return value as Members;
}

function parseObject(text: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    fail('the body is not JSON');
  }
  const members = asObject(value, 'the body');
  const ambiguity = findAmbiguity(text, INTEGERS);
  if (ambiguity !== undefined) fail(ambiguity);
  if (members['protocol'] !== PROTOCOL) fail(`"protocol" is not ${PROTOCOL}`);
  return members;
}

function matching(members: Members, key: string, pattern: RegExp): string {
  const value = members[key];
  if (typeof value !== 'string' || !pattern.test(value)) fail(`"${key}" is not of its form`);
  return value;
}

function words(members: Members, key: string, most: number, isWord: (text: string) => boolean): string[] {
  const value = members[key];
  if (!Array.isArray(value) || value.length > most) fail(`"${key}" is not a list of at most ${most}`);
  const list = value as unknown[];
  const texts = list.filter((item): item is string => typeof item === 'string' && isWord(item));
  if (texts.length !== list.length) fail(`"${key}" has an item that is not of its form`);
  if (new Set(texts).size !== texts.length) fail(`"${key}" names something twice`);
  return texts;
}

function integer(members: Members, key: string, least: number, most: number): number {
  const value = members[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    fail(`"${key}" is not a whole number from ${least} to ${most}`);
  }
  return value;
}

function parseLimits(members: Members): PeerLimits {
  const limits = asObject(members['limits'], '"limits"');
  return {
    windowBytes: integer(limits, 'window_bytes', MIN_WINDOW_BYTES, MAX_OFFSET),
    maxStreams: integer(limits, 'max_streams', 0, 0xffff_ffff),
    maxPayload: integer(limits, 'max_payload', MIN_PAYLOAD_BYTES, MAX_DATA_BYTES),
  };
}

function parseResume(members: Members): ResumeRequest | undefined {
  if (members['resume'] === undefined) return undefined;
  const resume = asObject(members['resume'], '"resume"');
  const { only = false } = resume;
  if (typeof only !== 'boolean') fail('"only" is not true or false');
  return { sessionId: matching(resume, 'session_id', ID), token: matching(resume, 'token', ID), only };
}

/** Parses the body of HELLO. Throws SessionError 4400. */
export function parseHello(text: string): Hello {
  const members = parseObject(text);
  return {
    agentId: matching(members, 'agent_id', AGENT_ID),
    bootId: matching(members, 'boot_id', ID),
    version: matching(members, 'version', WORD),
    features: words(members, 'features', 64, (word) => WORD.test(word)),
    connectors: words(members, 'connectors', MAX_CONNECTORS, isConnectorName),
    limits: parseLimits(members),
    resume: parseResume(members),
    overlaps: members['overlaps'] === undefined ? undefined : matching(members, 'overlaps', ID),
  };
}

/** Parses the body of HELLO_ACK. Throws SessionError 4400. */
export function parseHelloAck(text: string): HelloAck {
  const members = parseObject(text);
  const resumed = members['resumed'];
  if (typeof resumed !== 'boolean') fail('"resumed" is not true or false');
  const resume = members['resume'] === undefined ? undefined : asObject(members['resume'], '"resume"');
  return {
    sessionId: matching(members, 'session_id', ID),
    hubId: matching(members, 'hub_id', ID),
    version: matching(members, 'version', WORD),
    features: words(members, 'features', 64, (word) => WORD.test(word)),
    connectors: words(members, 'connectors', MAX_CONNECTORS, isConnectorName),
    limits: parseLimits(members),
    resumed,
    resume: resume && {
      token: matching(resume, 'token', ID),
      graceMs: integer(resume, 'grace_ms', 0, 86_400_000),
    },
  };
}

function formatLimits(limits: PeerLimits): object {
  return {
    window_bytes: limits.windowBytes,
    max_streams: limits.maxStreams,
    max_payload: limits.maxPayload,
  };
}

/** The body of HELLO. */
export function formatHello(hello: Hello): string {
  return JSON.stringify({
    protocol: PROTOCOL,
    agent_id: hello.agentId,
    boot_id: hello.bootId,
    version: hello.version,
    features: hello.features,
    connectors: hello.connectors,
    limits: formatLimits(hello.limits),
    resume: hello.resume && {
      session_id: hello.resume.sessionId,
      token: hello.resume.token,
      only: hello.resume.only ? true : undefined,
    },
    overlaps: hello.overlaps,
  });
}

/** The body of HELLO_ACK. */
export function formatHelloAck(ack: HelloAck): string {
  return JSON.stringify({
    protocol: PROTOCOL,
    session_id: ack.sessionId,
    hub_id: ack.hubId,
    version: ack.version,
    features: ack.features,
    connectors: ack.connectors,
    limits: formatLimits(ack.limits),
    resumed: ack.resumed,
    resume: ack.resume && { token: ack.resume.token, grace_ms: ack.resume.graceMs },
  });
}
