/** Streams that were used once and then stay open. */
import { encodeHeader, Mode } from './header.js';
import { connectRaw, type RawHandlers, type RawSocket } from './raw-tcp.js';

const FIRST = Buffer.concat([encodeHeader(Mode.Echo, 0), Buffer.from([0x31])]);
/** How many are being opened at any time. */
const PARALLEL = 32;

export class IdleLoad {
  #sockets: RawSocket[] = [];

  /** Opens streams until `count` are open, each proven by one echo. */
  async grow({ port, count }: { readonly port: number; readonly count: number }): Promise<void> {
    let missing = count - this.#sockets.length;
    const lane = async (): Promise<void> => {
      while (missing-- > 0) this.#sockets.push(await openOne(port));
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }
}

function openOne(port: number): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const handlers: RawHandlers = {
      onBytes: (socket) => resolve(socket),
      onEnd(socket, error = 'FIN') {
        socket.close();
        reject(new Error(`an idle stream ended: ${error}`));
      },
    };
    connectRaw(port, handlers, (socket) => {
      socket.read(handlers);
      socket.write(FIRST);
    });
  });
}
