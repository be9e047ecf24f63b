/** The client's side of the load. A worker process. */
import { BulkLoad, type BulkOrder } from './bulk.js';
import { EchoLoad } from './echo.js';
import type { Mark } from './header.js';
import { IdleLoad } from './idle.js';
import { serve } from './rpc.js';
import { connectRaw, type RawSocket } from './raw-tcp.js';
import { encodeHeader, Mode } from './header.js';

let bulk: BulkLoad | undefined;
let stalled: RawSocket | undefined;
const idle = new IdleLoad();
const echo = new EchoLoad();

const commands = {
  /** Opens bulk streams; answers when each of them has moved bytes. */
  async bulkStart(order: BulkOrder): Promise<void> {
    bulk = new BulkLoad(order);
    await bulk.started;
  },
  /** What the download streams have received. */
  mark: (): Mark => ({ atMs: performance.now(), bytes: bulk?.received() ?? [] }),
  /** Ends the bulk streams with FIN and reads to the peer's FIN: bytes moved in all, by the stream's number. */
  bulkFinish: (): Promise<[id: number, bytes: number][]> | undefined => bulk?.finish(),

  /** A client that asks for a download and never reads. */
  stallStart: ({ port }: { readonly port: number }): Promise<void> =>
    new Promise((resolve, reject) => {
      const onEnd = (_: RawSocket, error = 'FIN'): void =>
        reject(new Error(`the stalled stream ended: ${error}`));
      connectRaw(port, { onBytes: () => undefined, onEnd }, (socket) => {
        stalled = socket;
        socket.write(encodeHeader(Mode.Down, 0));
        resolve();
      });
    }),
  stallEnd: (): void => stalled?.reset(),

  roundTrips: (order: Parameters<EchoLoad['roundTrips']>[0]) => echo.roundTrips(order),
  opens: (order: Parameters<EchoLoad['opens']>[0]) => echo.opens(order),
  firstEchoes: (order: Parameters<EchoLoad['firstEchoes']>[0]) => echo.firstEchoes(order),

  /** Opens idle streams, each proven by one echo, until that many are open. */
  idleOpen: (order: { readonly port: number; readonly count: number }): Promise<void> => idle.grow(order),
  idleClose: (): void => idle.close(),

  /** Resets whatever a failed measurement left open. */
  clear(): void {
    bulk?.reset();
    stalled?.reset();
    echo.reset();
    idle.close();
    bulk = stalled = undefined;
  },
};
export type ClientCommands = typeof commands;

serve(commands);
