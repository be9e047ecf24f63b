import { AuthError } from './errors.js';
import { fetchText, isLoopback, printableUrl } from './http-json.js';
import { MAX_JWKS_BYTES, onChange } from './jwks-source.js';
import type { JwksDeps, JwksSource } from './jwks-source.js';
import { parseKeySet } from './jws.js';
import type { KeySet } from './jws.js';

/** Deadline of one fetch. */
const FETCH_TIMEOUT_MS = 5_000;
/** Keys are used without asking again for this long: how late the hub may notice a withdrawn key. */
const FRESH_MS = 600_000;
/** Keys are used for at most this long when the issuer cannot be asked. */
const MAX_STALE_MS = 86_400_000;
/** Tokens with unknown keys cause at most one fetch in this time. */
const COOLDOWN_MS = 30_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/**
 * The JWKS behind a URL. Nothing runs in the background: a fetch happens when a token needs it, one at a time, and after
 * a failed one not before a growing delay has passed. While the issuer is down, the last good keys stay in use for a day.
 */
export class UrlJwks implements JwksSource {
  readonly #url: URL;
  readonly #deps: JwksDeps;
  readonly #timeoutMs: number;
  readonly #report: (text: string) => void;
  readonly #closing = new AbortController();
  #keys: KeySet | undefined;
  #loadedAt = -Infinity;
  #askedAt = -Infinity;
  #failures = 0;
  #pending: Promise<void> | undefined;

  /**
   * @param timeoutMs deadline of one fetch
   * @throws Error when the URL is not one, carries a password, or is plain http where that is not allowed
   */
  constructor(url: string, allowHttp: boolean, deps: JwksDeps, timeoutMs = FETCH_TIMEOUT_MS) {
    this.#url = parseJwksUrl(url, allowHttp);
    this.#deps = deps;
    this.#timeoutMs = timeoutMs;
    const name = `security.jwks_url ${printableUrl(this.#url)}`;
    this.#report = onChange((text) => deps.onJwksProblem?.(`${name}: ${text}`));
  }

  async current(): Promise<KeySet> {
    const now = this.#deps.now();
    const fresh = this.#keys !== undefined && now - this.#loadedAt < FRESH_MS;
    if (!fresh && (this.#pending !== undefined || now >= this.#askedAt + retryDelayMs(this.#failures))) {
      await this.#load();
    }
    return this.#usable();
  }

  async refresh(): Promise<KeySet> {
    if (this.#pending !== undefined || this.#deps.now() - this.#askedAt >= COOLDOWN_MS) await this.#load();
    return this.#usable();
  }

  close(): void {
    this.#closing.abort();
  }

  #usable(): KeySet {
    const usable = !this.#closing.signal.aborted && this.#deps.now() - this.#loadedAt < MAX_STALE_MS;
    if (usable && this.#keys !== undefined) return this.#keys;
    throw new AuthError(
      'jwks_unavailable',
      `no usable keys from security.jwks_url ${printableUrl(this.#url)}: it could not be fetched`,
    );
  }

  #load(): Promise<void> {
    return (this.#pending ??= this.#fetch().finally(() => (this.#pending = undefined)));
  }

  async #fetch(): Promise<void> {
    this.#askedAt = this.#deps.now();
    try {
      const text = await fetchText({
        url: this.#url,
        accept: 'application/jwk-set+json, application/json',
        timeoutMs: this.#timeoutMs,
        maxBytes: MAX_JWKS_BYTES,
        signal: this.#closing.signal,
        fetch: this.#deps.fetch,
      });
      const { keys, problems } = parseKeySet(text);
      this.#keys = keys;
      this.#loadedAt = this.#deps.now();
      this.#failures = 0;
      this.#deps.onJwksFetch('ok');
      this.#report(problems.join('; '));
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#failures += 1;
      this.#deps.onJwksFetch('error');
      const consequence =
        this.#keys === undefined ? 'every token is refused' : 'the last good keys stay in use';
      this.#report(`${error instanceof Error ? error.message : String(error)}; ${consequence}`);
    }
  }
}

function retryDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
}

function parseJwksUrl(text: string, allowHttp: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error('security.jwks_url must be an https:// URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error('security.jwks_url must not carry a user name or password: a JWKS is public');
  }
  if (url.protocol === 'http:' && !allowHttp && !isLoopback(url)) {
    throw new Error(
      'security.jwks_url is plain http beyond loopback, so anyone on the way could replace the keys: use https, or set security.allow_http_jwks: true',
    );
  }
  return url;
}
