import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import semver from 'semver';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}
type Manifest = Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;

const FLOOR = '20.19.0';
const PROJECTS = ['.', 'test/node24'];

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The packages of a lock file, without the project itself. */
function lockedPackages(project: string): [string, LockedPackage][] {
  const { packages } = readJson(`${project}/package-lock.json`) as Lock;
  return Object.entries(packages).filter(([path]) => path !== '');
}

for (const project of PROJECTS) {
  describe(`the packages of ${project === '.' ? 'the project' : project}`, () => {
    it('are named with exact versions', () => {
      const manifest = readJson(`${project}/package.json`) as Manifest;
      const named = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
        Object.entries(manifest[kind] ?? {}),
      );
      expect(named).to.not.be.empty;
      expect(named.filter(([, version]) => semver.valid(version) === null)).to.deep.equal([]);
    });

    it('are locked without the address they were fetched from', () => {
      expect(lockedPackages(project).filter(([, { resolved }]) => resolved !== undefined)).to.deep.equal([]);
    });

    it('are locked with a checksum', () => {
      expect(
        lockedPackages(project).filter(([, { integrity }]) => !integrity?.startsWith('sha512-')),
      ).to.deep.equal([]);
    });

    it("are locked for every platform: npm ci refuses a lock that leaves out another machine's optional package", () => {
      const locked = new Set(lockedPackages(project).map(([path]) => path.replace(/^.*node_modules\//, '')));
      const asked = lockedPackages(project).flatMap(([, { optionalDependencies }]) =>
        Object.keys(optionalDependencies ?? {}),
      );
      expect(asked.filter((name) => !locked.has(name))).to.deep.equal([]);
    });

    it('run no script at installation', () => {
      expect(lockedPackages(project).filter(([, { hasInstallScript }]) => hasInstallScript)).to.deep.equal(
        [],
      );
    });

    it(`all accept Node ${FLOOR}`, () => {
      const refusing = lockedPackages(project)
        .map(([path, { engines }]) => ({ path, node: engines?.['node'] ?? '*' }))
        .filter(({ node }) => !semver.satisfies(FLOOR, node));
      expect(refusing).to.deep.equal([]);
    });
  });
}

describe('package.json', () => {
  it(`asks for Node ${FLOOR} or newer, as scripts/require-node.sh does`, () => {
    expect(readJson('package.json')).to.have.nested.property('engines.node', `>=${FLOOR}`);
    expect(readFileSync('scripts/require-node.sh', 'utf8')).to.include(`floor=${FLOOR}\n`);
  });
});
