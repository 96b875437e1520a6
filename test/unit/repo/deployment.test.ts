import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { leaves, scalarSchema } from '../../../src/config/scalar-schema.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { allOf, oneOf, parseMarkup } from './markup.js';
import { isThere, manifest, textOf } from './repository.js';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly secrets?: readonly string[];
  readonly stop_grace_period?: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<
    Record<'drachtio' | 'sip2wa' | 'prometheus' | 'grafana' | 'homer-db' | 'homer-capture' | 'homer', Service>
  >;
  readonly secrets: Readonly<Record<string, { readonly file?: string; readonly environment?: string }>>;
}

const compose = parse(textOf('docker-compose.yml')) as Compose;
const { drachtio, sip2wa, prometheus, grafana } = compose.services;
const defaults = loadDefaults();

/** The configuration without a file's or the environment's influence. */
function loadDefaults() {
  const result = loadConfig({ file: 'config/default.yaml', env: {} });
  if (!result.ok) throw new Error('config/default.yaml is not valid');
  return result.config;
}

describe('docker-compose.yml', () => {
  it('starts four services, all on the host network, so nothing is published by accident', () => {
    const usual = Object.entries(compose.services).filter(([, { profiles }]) => profiles === undefined);
    expect(usual.map(([name]) => name)).toEqual(['drachtio', 'sip2wa', 'prometheus', 'grafana']);
    for (const [, service] of usual) {
      expect(service.network_mode).toBe('host');
      expect(service.ports).toBeUndefined();
    }
  });

  it('has a drachtio-server that answers nobody ended, by asking the port of its configuration', () => {
    const [shell, script = '', host, port] = drachtio.entrypoint ?? [];
    expect([shell, host]).toEqual(['bash', '127.0.0.1']);
    expect(textOf('config/drachtio/drachtio.conf.xml')).toContain(`sip:*:${port};transport=udp,tcp`);
    const mount = drachtio.volumes.map((volume) => volume.split(':')).find(([, inside]) => inside === script);
    expect(textOf(mount?.[0] ?? '')).toMatch(/^#!\/bin\/bash\n/);
  });

  it('pins the drachtio-server to a version that can end dead TCP connections', () => {
    const [, version = ''] = /^drachtio\/drachtio-server:(\d+\.\d+\.\d+)$/.exec(drachtio.image ?? '') ?? [];
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
    expect(major * 1e6 + minor * 1e3 + patch).toBeGreaterThanOrEqual(9_010);
    expect(Number(drachtio.environment.DRACHTIO_TPORT_MAX_CONSECUTIVE_TIMEOUTS)).toBeGreaterThanOrEqual(2);
  });

  it('takes the secret of the drachtio-server from the environment, refuses to start without one, and gives both the same', () => {
    expect(drachtio.environment.DRACHTIO_SECRET).toMatch(/^\$\{DRACHTIO_SECRET:\?.+\}$/);
    expect(sip2wa.environment.DRACHTIO_SECRET).toBe('${DRACHTIO_SECRET:?}');
    expect(textOf('docker-compose.yml')).not.toMatch(/cymru/i);
  });

  it('sets only variables that the configuration knows', () => {
    const overrides = leaves().map(({ leaf }) => leaf.env);
    const references = [...textOf('config/example.yaml').matchAll(/^[^#]+\$\{env:(\w+)\}/gm)].map(([, name]) => name);
    const mentioned = [...textOf('config/example.yaml').matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => name);
    const unknown = Object.keys(sip2wa.environment).filter(
      (name) => !overrides.includes(name) && !mentioned.includes(name),
    );
    expect(unknown).toEqual([]);
    expect(references.filter((name) => name !== undefined && !(name in sip2wa.environment))).toEqual([]);
    expect(sip2wa.environment.SIP2WA_SIP_SERVER).toBe('drachtio');
  });

  it('has every secret file that the example refers to', () => {
    const references = [...textOf('config/example.yaml').matchAll(/^[^#]+\$\{file:\/run\/secrets\/(\w+)\}/gm)].map(
      ([, name]) => name,
    );
    expect(references.length).toBeGreaterThan(0);
    expect(sip2wa.secrets).toEqual([...new Set(references)]);
    const files = Object.entries(compose.secrets).filter(([, { file }]) => file !== undefined);
    expect(files.map(([name]) => name)).toEqual(sip2wa.secrets);
    // kept out of the repository
    for (const [, { file }] of files) expect(file).toMatch(/^\.\/var\//);
    expect(textOf('.gitignore')).toContain('var/');
  });

  it('asks the right ports whether the services live', () => {
    const { host, port } = defaults.admin.listen;
    expect(sip2wa.healthcheck.test.join(' ')).toContain(`http://${host}:${port}/livez`);
    const command = defaults.sip.drachtio;
    expect(drachtio.healthcheck.test.join(' ')).toContain(`/dev/tcp/${command.host}/${command.port}`);
  });

  it('mounts the configuration that is named on the command line, and a place for the journal', () => {
    const file = sip2wa.command?.[2] ?? '';
    expect(sip2wa.command?.slice(0, 2)).toEqual(['run', '--config']);
    expect(sip2wa.volumes.some((volume) => volume.endsWith(`:${file}:ro`))).toBe(true);
    expect(sip2wa.volumes).toContain('sip2wa-var:/app/var');
    expect(defaults.journal.dir).toMatch(/(?:^\.|\/app)\/var\/|\/var\/journal$/);
    const mounted = drachtio.volumes[0]?.split(':') ?? [];
    expect(isThere(mounted[0] ?? '')).toBe(true);
    expect(drachtio.command).toContain(mounted[1]);
  });

  it('tells the firewall the ports of the defaults', () => {
    const comment = textOf('docker-compose.yml').split('\nname:')[0] ?? '';
    for (const [from, to] of [defaults.media.rtpPorts, defaults.media.webrtcPorts])
      expect(comment).toContain(`${from}-${to}`);
    expect(comment).toContain(`(${defaults.webhook.listen.port})`);
  });
});

describe('Prometheus and Grafana of docker-compose.yml', () => {
  const scraped = parse(textOf('config/prometheus/prometheus.yml')) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly [
      {
        readonly authorization: { readonly credentials_file: string };
        readonly static_configs: readonly [{ readonly targets: readonly string[] }];
      },
    ];
  };
  const source = parse(textOf('config/grafana/provisioning/datasources/prometheus.yml')) as {
    readonly datasources: readonly [{ readonly url: string; readonly uid: string }];
  };

  it('listen on loopback alone, and ask each other and the daemon where those listen', () => {
    const { host, port } = defaults.admin.listen;
    expect(scraped.scrape_configs[0].static_configs[0].targets).toEqual([`${host}:${port}`]);
    const address = /--web\.listen-address=(127\.0\.0\.1:\d+)/.exec(prometheus.command?.join(' ') ?? '')?.[1] ?? '';
    expect(source.datasources[0].url).toBe(`http://${address}`);
    expect(prometheus.healthcheck.test.join(' ')).toContain(`http://${address}/`);
    const { GF_SERVER_HTTP_ADDR, GF_SERVER_HTTP_PORT } = grafana.environment;
    expect(GF_SERVER_HTTP_ADDR).toBe('127.0.0.1');
    expect(grafana.healthcheck.test.join(' ')).toContain(`http://127.0.0.1:${GF_SERVER_HTTP_PORT}/`);
  });

  it('have no password of their own in the file, and the daemon’s token as a secret', () => {
    expect(grafana.environment.GF_SECURITY_ADMIN_PASSWORD).toMatch(/^\$\{GRAFANA_PASSWORD:\?.+\}$/);
    expect(prometheus.secrets).toEqual(['admin_token']);
    expect(compose.secrets.admin_token).toEqual({ environment: 'SIP2WA_ADMIN_TOKEN' });
    expect(scraped.scrape_configs[0].authorization.credentials_file).toBe('/run/secrets/admin_token');
  });

  it('mount files that are there, at the places that they are told', () => {
    const mounts = [...prometheus.volumes, ...grafana.volumes].filter((volume) => volume.startsWith('./'));
    expect(mounts).toHaveLength(3);
    for (const mount of mounts) expect(isThere(mount.split(':')[0] ?? ''), mount).toBe(true);
    expect(prometheus.command).toContain('--config.file=/etc/prometheus/prometheus.yml');
    for (const file of scraped.rule_files) expect(isThere(`config/prometheus/${file}`), file).toBe(true);
    const home = grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH ?? '';
    const provider = parse(textOf('config/grafana/provisioning/dashboards/sip2wa.yml')) as {
      readonly providers: readonly [{ readonly options: { readonly path: string } }];
    };
    expect(home).toBe(`${provider.providers[0].options.path}/sip2wa.json`);
    expect(isThere('config/grafana/dashboards/sip2wa.json')).toBe(true);
  });
});

describe('Homer of docker-compose.yml', () => {
  const services = Object.entries(compose.services).filter(([name]) => name.startsWith('homer'));
  const { 'homer-db': db, 'homer-capture': capture, homer } = compose.services;

  it('is there with its profile alone, of versions that are named, and each part is asked whether it lives', () => {
    expect(services.map(([name]) => name)).toEqual(['homer-db', 'homer-capture', 'homer']);
    for (const [name, { profiles, image, healthcheck }] of services) {
      expect(profiles, name).toEqual(['homer']);
      expect(image, name).toMatch(/^[a-z./-]+:\d+\.\d+(\.\d+)?(-alpine)?$/);
      expect(healthcheck.test.length, name).toBeGreaterThan(1);
    }
    for (const waits of [capture, homer])
      expect(waits.depends_on).toEqual({ 'homer-db': { condition: 'service_healthy' } });
    const { HEPLIFYSERVER_PROMADDR: metrics = '' } = capture.environment;
    expect(capture.healthcheck.test.join(' ')).toContain(`http://127.0.0.1:${metrics.split(':')[1]}/metrics`);
  });

  it('can be reached from this machine alone, the data base by the other two alone', () => {
    expect(services.map(([, { ports, network_mode }]) => [ports, network_mode])).toEqual([
      [undefined, undefined],
      [['127.0.0.1:9060:9060/udp'], undefined],
      [['127.0.0.1:9080:80'], undefined],
    ]);
    expect(capture.environment.HEPLIFYSERVER_HEPADDR).toBe('0.0.0.0:9060');
    expect(compose.services.drachtio.environment.DRACHTIO_HOMER_PORT).toBe('9060');
    const comment = textOf('docker-compose.yml').split('\nname:')[0] ?? '';
    for (const said of ['127.0.0.1:9060', 'http://127.0.0.1:9080', 'HOMER_PASSWORD', 'HOMER_DB_PASSWORD'])
      expect(comment).toContain(said);
  });

  it('has no password that others know: without one it does not begin, and the rest begins without Homer’s', () => {
    const password = '${HOMER_DB_PASSWORD:-}';
    const given = [
      db.environment.POSTGRES_PASSWORD,
      capture.environment.HEPLIFYSERVER_DBPASS,
      homer.environment.DB_PASS,
    ];
    expect(given).toEqual([password, password, password]);
    expect(homer.environment.PROVISIONED_USERS_PASS).toBe('${HOMER_PASSWORD:-}');
    const [shell, , script = '', name] = homer.entrypoint ?? [];
    expect([shell, name, homer.command?.[0]]).toEqual(['bash', 'homer', '/homer-app']);
    const start = (HOMER_PASSWORD: string): { status: number | null; said: string } => {
      const plain = script.replaceAll('$$', '$').replace('exec /docker-entrypoint.sh', 'exec echo');
      const args = ['--norc', '-c', plain, 'homer', 'the', 'program'];
      const { status, stdout, stderr } = spawnSync('bash', args, { env: { PROVISIONED_USERS_PASS: HOMER_PASSWORD } });
      return { status, said: `${String(stdout)}${String(stderr)}`.trim() };
    };
    expect(start('')).toEqual({ status: 1, said: 'set HOMER_PASSWORD to a random string' });
    expect(start('random-9')).toEqual({ status: 0, said: 'the program' });
    expect(textOf('docker-compose.yml')).not.toMatch(/homerSeven|sipcapture[^/]|\bHOMER\w*:\?/);
  });

  it('is sent nothing unless it is asked for', () => {
    expect(sip2wa.environment.SIP2WA_HEP_ADDRESS).toBe('${SIP2WA_HEP_ADDRESS:-}');
    expect(drachtio.environment.DRACHTIO_HOMER_ADDRESS).toBe('${DRACHTIO_HOMER_ADDRESS:-}');
    expect(defaults.hep).toBeUndefined();
    // the two are two sources
    expect(Number(drachtio.environment.DRACHTIO_HOMER_ID)).not.toBe(scalarSchema.hep.capture_id.default);
  });
});

describe('config/docker/Dockerfile', () => {
  const text = textOf('config/docker/Dockerfile');
  const lines = text.split('\n');

  it('is the one that compose builds', () => {
    expect(sip2wa.build).toEqual({ context: '.', dockerfile: 'config/docker/Dockerfile' });
  });

  it('copies what is there and what the ignore file lets through', () => {
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((path) => !isThere(path))).toEqual([]);
    const allowed = textOf('config/docker/Dockerfile.dockerignore').split('\n');
    expect(sources.filter((path) => !allowed.includes(`!${path}`))).toEqual([]);
  });

  it('copies every file that the build script runs', () => {
    const named = (manifest().scripts.build ?? '').match(/[\w./-]+\.(?:json|mjs|js)\b/g) ?? [];
    expect(named.filter((path) => !text.includes(path) && !path.startsWith('src/'))).toEqual([]);
    expect(lines).toContain('COPY src src');
  });

  it('runs a supported Node without privileges, and the program of package.json', () => {
    const images = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1] ?? '');
    const versions = images.map((image) => Number(/^node:(\d+)-/.exec(image)?.[1]));
    expect(versions).toEqual([22, 22]);
    expect(Math.min(...versions)).toBeGreaterThanOrEqual(Number(/\d+/.exec(manifest().engines.node)?.[0]));
    expect(lines.indexOf('USER node')).toBeGreaterThan(lines.findIndex((line) => line.startsWith('RUN install')));
    expect(text).toContain(`ENTRYPOINT ["node", "${manifest().bin.sip2wa ?? ''}"]`);
    expect(text).toContain('npm ci');
    expect(text).toContain('--omit=dev');
  });

  it('asks the admin listener whether it lives', () => {
    expect(text).toContain(`http://${defaults.admin.listen.host}:${defaults.admin.listen.port}/livez`);
  });
});

describe('config/drachtio/drachtio.conf.xml', () => {
  const root = parseMarkup(textOf('config/drachtio/drachtio.conf.xml'));

  it('listens for commands on loopback only, on the port of the configuration, without a known secret', () => {
    const admin = oneOf(root, 'admin');
    expect(admin.text).toBe(defaults.sip.drachtio.host);
    expect(admin.text).toBe('127.0.0.1');
    expect(Number(admin.attributes.port)).toBe(defaults.sip.drachtio.port);
    // Without the attribute drachtio-server would take a secret that everybody knows.
    expect(admin.attributes.secret).toBe('');
  });

  it('refreshes sessions itself when nobody was named', () => {
    expect(oneOf(root, 'session-timers').attributes['default-refresher']).toBe('uas');
  });

  it('listens for SIP where the embedded server would', () => {
    const contacts = allOf(oneOf(root, 'contacts'), 'contact').map(({ text }) => text);
    expect(contacts).toEqual(['sip:*:5060;transport=udp,tcp']);
    expect(defaults.sip.listen.map(({ transport, port }) => `${transport}:${port}`)).toEqual(['udp:5060', 'tcp:5060']);
  });

  it('keeps messages, and so the numbers of callers, out of the log', () => {
    expect(Number(oneOf(root, 'sofia-loglevel').text)).toBeLessThanOrEqual(1);
    expect(oneOf(root, 'loglevel').text).toBe('notice');
  });
});

describe('config/systemd/sip2wa.service', () => {
  const lines = textOf('config/systemd/sip2wa.service').split('\n');
  const values = (key: string): string[] =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));

  it('checks the configuration, then runs the program of package.json with it', () => {
    const program = `/usr/bin/node /opt/sip2wa/${manifest().bin.sip2wa ?? ''}`;
    expect(values('ExecStartPre')).toEqual([`${program} check --config /etc/sip2wa/sip2wa.yaml`]);
    expect(values('ExecStart')).toEqual([`${program} run --config /etc/sip2wa/sip2wa.yaml`]);
  });

  it('keeps what the daemon writes in its state directory, by variables that the configuration knows', () => {
    const known = [...leaves().map(({ leaf }) => leaf.env), 'NODE_ENV'];
    const set = values('Environment').map((pair) => pair.split('='));
    expect(set.filter(([name]) => !known.includes(name))).toEqual([]);
    const paths = set.map(([, path = '']) => path).filter((path) => path.startsWith('/'));
    expect(paths.length).toBe(3);
    for (const path of paths) expect(path.startsWith(`/var/lib/${values('StateDirectory')[0] ?? ''}/`)).toBe(true);
  });

  it('gives the secrets of the example, and no privileges', () => {
    const names = [...textOf('config/example.yaml').matchAll(/^[^#]+\$\{file:\/run\/secrets\/(\w+)\}/gm)];
    const loaded = values('LoadCredential').map((pair) => pair.split(':')[0]);
    expect(loaded).toEqual(names.map(([, name]) => name));
    expect(values('DynamicUser')).toEqual(['yes']);
    expect(values('NoNewPrivileges')).toEqual(['yes']);
    expect(values('CapabilityBoundingSet')).toEqual(['']);
  });

  it('waits for the calls to end as long as compose does', () => {
    expect(`${values('TimeoutStopSec')[0] ?? ''}s`).toBe(sip2wa.stop_grace_period);
    expect(values('Restart')).toEqual(['always']);
  });
});
