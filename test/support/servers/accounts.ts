/** Servers that refuse to run as root run as the account their Debian package made. */
import { chownSync, readFileSync } from 'node:fs';

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account a server must be started as: undefined when the tests are not root (then it runs as the tests do).
 * @throws when the tests are root and the account is not there
 */
export function serverAccount(name: string, debianPackage: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? '').split(':');
  if (uid === undefined || gid === undefined) {
    throw new Error(`there is no user ${name}: apt-get install ${debianPackage} (it makes that user)`);
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Gives files to the account, when there is one to give them to. */
export function giveTo(account: Account | undefined, ...paths: readonly string[]): void {
  if (account) for (const path of paths) chownSync(path, account.uid, account.gid);
}
