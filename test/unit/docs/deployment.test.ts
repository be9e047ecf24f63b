import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments, parse } from 'yaml';
import { loadAgentConfig } from '../../../config/load-agent.js';
import { loadHubConfig } from '../../../config/load-hub.js';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly selector?: unknown;
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly replicas?: number;
    readonly strategy?: { readonly type: string };
    readonly template?: {
      readonly metadata: { readonly labels: unknown };
      readonly spec: PodSpec;
    };
  };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

interface Container {
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe: { readonly httpGet: { readonly port: string } };
  readonly readinessProbe: { readonly httpGet: { readonly port: string } };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

function manifests(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join('k8s', file), 'utf8')).map((document) => {
    expect(document.errors, file).to.deep.equal([]);
    return document.toJS() as Manifest;
  });
}

function the(all: readonly Manifest[], kind: string): Manifest {
  const found = all.find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
}

function podOf(all: readonly Manifest[]): { pod: PodSpec; container: Container } {
  const pod = the(all, 'Deployment').spec?.template?.spec;
  const container = pod?.containers[0];
  if (pod === undefined || container === undefined) throw new Error('no pod');
  return { pod, container };
}

describe('k8s/', () => {
  const hub = manifests('hub.yaml');
  const agent = manifests('agent.yaml');

  it('is listed in full by its kustomization', () => {
    const { resources } = parse(readFileSync('k8s/kustomization.yaml', 'utf8')) as { resources: string[] };
    expect(readdirSync('k8s').toSorted()).to.deep.equal(['kustomization.yaml', ...resources].toSorted());
  });

  it('has a configuration that the hub takes without a warning, on the ports of the container', () => {
    const text = the(hub, 'ConfigMap').data?.['hub.yaml'];
    const { config, warnings } = loadHubConfig({ file: 'hub.yaml', text, env: {} });
    expect(warnings).to.deep.equal([]);
    const listened = [
      ...config.listeners.map(({ bind }) => bind.port),
      config.tunnel.port,
      config.observability.metricsPort,
    ];
    const { pod, container } = podOf(hub);
    expect(container.ports.map(({ containerPort }) => containerPort)).to.deep.equal(listened);
    expect(pod.terminationGracePeriodSeconds).to.be.above(config.limits.drainGraceSec);
  });

  it('has a configuration that the agent takes without a warning, on the ports of the container', () => {
    const text = the(agent, 'ConfigMap').data?.['agent.yaml'];
    const { config, warnings } = loadAgentConfig({ file: 'agent.yaml', text, env: {} });
    expect(warnings).to.deep.equal([]);
    const { container } = podOf(agent);
    const { healthPort, metricsPort } = config.observability;
    expect(container.ports.map(({ containerPort }) => containerPort)).to.deep.equal([
      healthPort,
      metricsPort,
    ]);
    const folders = container.volumeMounts.map(({ mountPath }) => `${mountPath}/`);
    expect(folders.some((folder) => config.tunnel.tokenFile.startsWith(folder))).to.equal(true);
  });

  for (const [name, all] of Object.entries({ hub, agent })) {
    it(`runs the ${name} once, without privileges, with probes and volumes that exist`, () => {
      const { pod, container } = podOf(all);
      const deployment = the(all, 'Deployment').spec;
      expect(deployment).to.deep.include({ replicas: 1, strategy: { type: 'Recreate' } });
      expect(deployment?.selector).to.deep.equal({ matchLabels: deployment?.template?.metadata.labels });
      expect(pod.securityContext).to.include({ runAsNonRoot: true, runAsUser: 1000 });
      expect(container.securityContext).to.deep.equal({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const ports = container.ports.map((port) => port.name);
      expect(ports).to.include.members([
        container.livenessProbe.httpGet.port,
        container.readinessProbe.httpGet.port,
      ]);
      expect(pod.volumes.map((volume) => volume.name)).to.deep.equal(
        container.volumeMounts.map((mount) => mount.name),
      );
    });
  }

  it('has services that find the hub and its ports', () => {
    const labels = the(hub, 'Deployment').spec?.template?.metadata.labels;
    const ports = podOf(hub).container.ports.map(({ name }) => name);
    const services = hub.filter(({ kind }) => kind === 'Service');
    expect(services).to.have.lengthOf(2);
    for (const { spec } of services) {
      expect(spec?.selector).to.deep.equal(labels);
      expect(ports).to.include.members(spec?.ports?.map(({ targetPort }) => targetPort) ?? []);
    }
  });
});

describe('the Dockerfile', () => {
  const lines = readFileSync('Dockerfile', 'utf8').split('\n');
  const product = ['agent', 'cli', 'config', 'hub', 'observability', 'protocol', 'transport'];

  it('is given every folder of the product and the files that the build needs', () => {
    const context = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1).replace(/\/$/, ''));
    const needed = [
      'package.json',
      'package-lock.json',
      'tsconfig.json',
      'scripts/clean-stale.js',
      'LICENSE',
    ];
    expect(context).to.include.members([...product, ...needed]);
    const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] };
    expect(files).to.include.members(product.map((folder) => `dist/${folder}`));
  });

  it('ends as a user that is not root, with the command line as entry', () => {
    expect(lines).to.include('USER 1000:1000');
    expect(lines).to.include('ENTRYPOINT ["node", "/app/dist/cli/main.js"]');
    expect(lines.filter((line) => line.startsWith('FROM')).at(-1)).to.equal('FROM node:24-slim');
  });
});
