/**
 * The import arrows of the product (docs/explanation/architecture.md):
 *
 *   cli ─► hub, agent, config, observability
 *   hub, agent ─► transport, config, observability, protocol     (hub and agent never import each other)
 *   transport ─► protocol
 *   protocol, config, observability ─► nothing of ours
 *
 * test/tooling/arrows.test.ts plants one violation per rule and expects the rule to fail on it.
 */
const FOLDERS = ['agent', 'cli', 'config', 'hub', 'observability', 'protocol', 'transport'];

/** Which of our folders each folder may import. */
const MAY_IMPORT = {
  cli: ['hub', 'agent', 'config', 'observability'],
  hub: ['transport', 'config', 'observability', 'protocol'],
  agent: ['transport', 'config', 'observability', 'protocol'],
  transport: ['protocol'],
  protocol: [],
  config: [],
  observability: [],
};

/** Outside libraries that exactly one product file may import, so that each can be replaced in one place. */
const ONE_IMPORTER = ['ajv', 'jose', 'node-forge', 'pino', 'prom-client', 'proxy-agent', 'yaml'];

const PRODUCT = `^(${FOLDERS.join('|')})/`;

const arrows = FOLDERS.map((folder) => ({
  name: `arrow-${folder}`,
  comment: `${folder}/ imports ${MAY_IMPORT[folder].join(', ') || 'nothing'} of ours and nothing else of ours.`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: {
    path: `^(${[...FOLDERS, 'test', 'bench', 'scripts'].join('|')})/`,
    pathNot: `^(${[folder, ...MAY_IMPORT[folder]].join('|')})/`,
  },
}));

const oneImporter = ONE_IMPORTER.map((library) => ({
  name: `one-importer-${library}`,
  comment: `One product file imports ${library}; the others go through that file.`,
  severity: 'error',
  module: {
    path: `(^|/)node_modules/(@types/)?${library}/`,
    numberOfDependentsMoreThan: 1,
  },
  from: { path: PRODUCT },
}));

module.exports = {
  forbidden: [
    ...arrows,
    ...oneImporter,
    {
      name: 'protocol-is-sans-io',
      comment: 'protocol/ imports no package and no node: module.',
      severity: 'error',
      from: { path: '^protocol/' },
      to: { dependencyTypesNot: ['local'] },
    },
    {
      name: 'declared-packages-only',
      comment: 'Product code imports only packages that package.json lists under dependencies.',
      severity: 'error',
      from: { path: PRODUCT },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'npm-optional', 'npm-peer'] },
    },
    {
      name: 'no-unresolved',
      comment: 'Every import resolves to a file or a package.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-cycles',
      comment: 'No import cycle, types included: a cycle means that two files are one thing.',
      severity: 'error',
      from: { path: PRODUCT },
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: require('node:path').join(__dirname, 'tsconfig.json') },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    skipAnalysisNotInRules: true,
  },
};
