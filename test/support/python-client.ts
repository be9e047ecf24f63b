/**
 * A TCP client in Python: it tells RST from FIN whatever is pending, which a client on Node 20 does not
 * (transport/socket-end.ts says why).
 */
import { spawn } from 'node:child_process';

interface ClientEnd {
  /** `FIN`, or the name of the error. */
  readonly how: string;
  readonly bytes: number;
}

const PROGRAM = `
import errno, json, socket, sys, time
port, half_close, pause = int(sys.argv[1]), sys.argv[2] == 'yes', float(sys.argv[3])
s = socket.create_connection(('127.0.0.1', port))
if half_close: s.shutdown(socket.SHUT_WR)
time.sleep(pause)
n, how = 0, 'FIN'
try:
    while True:
        d = s.recv(65536)
        if not d: break
        if n == 0: print('reading', file=sys.stderr, flush=True)
        n += len(d)
except OSError as e:
    how = errno.errorcode[e.errno]
print(json.dumps({'how': how, 'bytes': n}))
`;

export interface PythonClient {
  /** Resolves with the first byte. */
  readonly reading: Promise<void>;
  readonly end: Promise<ClientEnd>;
}

/** Connects, reads to the end and tells how that was. */
export function pythonClient(
  port: number,
  options: { readonly halfClose?: boolean; readonly pauseSec?: number } = {},
): PythonClient {
  const { halfClose = false, pauseSec = 0 } = options;
  const child = spawn('python3', ['-c', PROGRAM, String(port), halfClose ? 'yes' : 'no', String(pauseSec)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  const reading = new Promise<void>((resolve) => child.stderr.once('data', () => resolve()));
  const end = new Promise<ClientEnd>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', () => reject(new Error('python3 cannot be started; install the package python3')));
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as ClientEnd);
      else reject(new Error(`the client in Python ended with ${code}`));
    });
  });
  return { reading, end };
}
