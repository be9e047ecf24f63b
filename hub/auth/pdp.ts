import { setMaxListeners } from 'node:events';
import type { PdpConfig } from '../../config/types.js';
import { fetchText } from './http-json.js';
import type { Fetch } from './http-json.js';
import { TtlCache } from './ttl-cache.js';

/** The labels of `nowconnect_pdp_decisions_total{result}`. */
export const PDP_RESULTS = [
  'allow',
  'deny',
  'cached_allow',
  'cached_deny',
  'error_allow',
  'error_deny',
] as const;
type PdpResult = (typeof PDP_RESULTS)[number];

const MAX_ANSWER_BYTES = 65_536;
const MAX_CACHED_DECISIONS = 10_000;
const MAX_CONCURRENT_REQUESTS = 256;

/** One connection that a client asks for. */
export interface PdpQuestion {
  readonly agentId: string;
  readonly connector: string;
  /** The listener's name. */
  readonly listener: string;
  /** The client's IP address, without the port: it is part of the cache key. */
  readonly clientAddress: string;
}

interface PdpDecision {
  readonly allowed: boolean;
  readonly result: PdpResult;
  /** For the log, with `error_allow` and `error_deny`: why there was no decision. */
  readonly error?: string;
}

/** Asks a Policy Decision Point whether a connection may be made. */
export interface Pdp {
  /** Always answers within `pdp.timeout_ms`; never rejects. */
  decide(question: PdpQuestion): Promise<PdpDecision>;
  /** Aborts what is under way; idempotent. Afterwards the answer is that of an error. */
  close(): void;
}

export interface PdpDeps {
  /** Called for each decision; not when no PDP is configured. */
  onDecision(connector: string, result: PdpResult): void;
  /** Called for each request to the PDP, with its duration. */
  observeSeconds(seconds: number): void;
  /** A clock that only goes forward, in ms. */
  readonly now?: () => number;
  readonly fetch?: Fetch;
}

type Answer = { readonly decision: boolean } | { readonly error: string };

/**
 * The client of an OpenID AuthZEN PDP (Authorization API 1.0 §6: one POST for each access evaluation). Answers are cached
 * for `cache_ttl_sec`, equal questions under way share one request. Whatever is not a decision (a timeout, a status other
 * than 200, an answer that is too large or has no boolean `decision`) is an error, and `fail_open` says what that means.
 *
 * @throws Error when `pdp.url` is not an http(s) URL or carries a password
 */
export function createPdp(config: PdpConfig, deps: PdpDeps): Pdp {
  if (config.url === '') return ALLOW_ALL;
  const url = parsePdpUrl(config.url);
  const now = deps.now ?? (() => performance.now());
  const closing = new AbortController();
  // One listener for each request under way: Node would warn of a leak at the eleventh.
  setMaxListeners(MAX_CONCURRENT_REQUESTS, closing.signal);
  const cache = new TtlCache<boolean>(MAX_CACHED_DECISIONS, config.cacheTtlSec * 1000);
  const underWay = new Map<string, Promise<Answer>>();

  async function decide(question: PdpQuestion): Promise<PdpDecision> {
    const decision = await find(question);
    deps.onDecision(question.connector, decision.result);
    return decision;
  }

  async function find(question: PdpQuestion): Promise<PdpDecision> {
    const key = JSON.stringify(evaluationRequest(question));
    const cached = cache.get(key, now());
    if (cached !== undefined) return { allowed: cached, result: cached ? 'cached_allow' : 'cached_deny' };
    const answer = await (underWay.get(key) ?? ask(key));
    if ('decision' in answer) {
      return { allowed: answer.decision, result: answer.decision ? 'allow' : 'deny' };
    }
    return {
      allowed: config.failOpen,
      result: config.failOpen ? 'error_allow' : 'error_deny',
      error: answer.error,
    };
  }

  /** The request's body is the key too: what the PDP is told is what the answer depends on. */
  function ask(body: string): Promise<Answer> | Answer {
    if (underWay.size >= MAX_CONCURRENT_REQUESTS) {
      return { error: `${MAX_CONCURRENT_REQUESTS} questions are already waiting for the PDP` };
    }
    const answer = exchange(body).finally(() => underWay.delete(body));
    underWay.set(body, answer);
    return answer;
  }

  async function exchange(body: string): Promise<Answer> {
    const startedAt = now();
    try {
      const text = await fetchText({
        url,
        body,
        accept: 'application/json',
        timeoutMs: config.timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        signal: closing.signal,
        fetch: deps.fetch ?? globalThis.fetch,
      });
      const decision = readDecision(text);
      cache.set(body, decision, now());
      return { decision };
    } catch (error) {
      return { error: `the PDP gave no decision: ${error instanceof Error ? error.message : String(error)}` };
    } finally {
      deps.observeSeconds((now() - startedAt) / 1000);
    }
  }

  return {
    decide,
    close() {
      closing.abort();
      cache.clear();
    },
  };
}

const ALLOW_ALL: Pdp = {
  decide: () => Promise.resolve({ allowed: true, result: 'allow' }),
  close: () => undefined,
};

/** AuthZEN §5 and §6.1. The agent is the subject: it has an identity that was proven, a TCP client has only an address. */
function evaluationRequest(question: PdpQuestion): object {
  return {
    subject: { type: 'agent', id: question.agentId },
    action: { name: 'connect' },
    resource: { type: 'connector', id: question.connector },
    context: { listener: question.listener, client_address: question.clientAddress },
  };
}

/** AuthZEN §6.2: `decision` is required and a boolean; `context` beside it is information and changes nothing. */
function readDecision(text: string): boolean {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error('the answer is not JSON');
  }
  const decision =
    typeof answer === 'object' && answer !== null && 'decision' in answer ? answer.decision : undefined;
  if (typeof decision !== 'boolean') throw new Error('the answer has no decision that is true or false');
  return decision;
}

function parsePdpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error('pdp.url must be an http:// or https:// URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('pdp.url must not carry a user name or password');
  }
  return url;
}
