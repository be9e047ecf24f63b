/** Runs in a child of the hub: closes its copies of listening sockets with SO_LINGER {on, 0}, which the originals share. */

interface TcpHandle {
  reset(onClosed: () => void): number;
}

let expected = Number(process.argv[2]);

process.on('message', (_message, handle) => {
  const code = (handle as unknown as TcpHandle).reset(() => {
    expected--;
    if (expected === 0) process.exit(0);
  });
  if (code !== 0) process.exit(1);
});
// The hub is gone.
process.once('disconnect', () => process.exit(1));
