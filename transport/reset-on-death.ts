/**
 * A process that is killed has its sockets closed by the kernel, with FIN where nothing is unread: a client in the middle
 * of a download would see a short stream that ends cleanly. With SO_LINGER {on, 0} the kernel sends RST instead. Node
 * has no call for that option, but accepted sockets inherit it from the listening socket, and closing a copy of that
 * one with `reset` sets it. The copy lives in a child process, for a moment.
 *
 * From then on an ordinary close sends RST too and drops what is not sent yet: see close-when-acknowledged.ts.
 */
import { fork } from 'node:child_process';
import type { Server } from 'node:net';

/** The child starts Node once; far more than it takes. */
const CHILD_TIMEOUT_MS = 5000;

/**
 * Makes connections accepted from now on by these listening servers end in RST when this process dies. Resolves to
 * whether it worked; where it does not (no child processes, another system), everything else goes on as before.
 */
export function resetOnDeath(servers: readonly Server[]): Promise<boolean> {
  const handles = servers.map(
    (server) => (server as unknown as { readonly _handle?: object | null })._handle,
  );
  if (process.platform !== 'linux' || handles.length === 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const child = fork(new URL('./reset-on-death-child.js', import.meta.url), [String(handles.length)], {
      stdio: 'ignore',
      execArgv: [],
      timeout: CHILD_TIMEOUT_MS,
    });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
    for (const handle of handles) {
      // The raw handle: a net.Server would begin to accept in the child.
      child.send('copy', handle as Server, (error) => {
        if (error !== null) child.kill();
      });
    }
  });
}
