import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A real HTTP server on a free loopback port, whose answer a test can change at any time. */
export class JsonServer {
  /** Each request's method, path, headers and body, in order. */
  readonly requests: { method: string; path: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  respond: (response: http.ServerResponse, body: string) => void = (response) => void response.end('{}');
  readonly #server = http.createServer((request, response) => void this.#serve(request, response));
  #port = 0;

  static async start(): Promise<JsonServer> {
    const server = new JsonServer();
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, again on the same port when it was stopped before. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Every request gets this text with status 200. */
  serve(text: string): void {
    this.respond = (response) => void response.end(text);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, path: url, headers, body });
    this.respond(response, body);
  }
}
