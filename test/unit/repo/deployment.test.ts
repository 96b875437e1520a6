import { spawnSync } from 'node:child_process';
import { basename, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { leaves, scalarSchema } from '../../../src/config/scalar-schema.js';
import { bindsOf, compose, loadDefaults, mountsOf } from './compose.js';
import { allOf, oneOf, parseMarkup } from './markup.js';
import { isThere, manifest, textOf } from './repository.js';

const { drachtio, sip2wa, prometheus, grafana } = compose.services;
const defaults = loadDefaults();

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
    const mount = mountsOf(drachtio).find(([, inside]) => inside === script);
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
    const overrides = [...leaves().map(({ leaf }) => leaf.env), 'SIP2WA_CONFIG'];
    const references = [...textOf('config/example.yaml').matchAll(/^[^#]+\$\{env:(\w+)\}/gm)].map(([, name]) => name);
    const mentioned = [...textOf('config/example.yaml').matchAll(/\$\{env:(\w+)\}/g)].map(([, name]) => name);
    const unknown = Object.keys(sip2wa.environment).filter(
      (name) => !overrides.includes(name) && !mentioned.includes(name),
    );
    expect(unknown).toEqual([]);
    expect(references.filter((name) => name !== undefined && !(name in sip2wa.environment))).toEqual([]);
    expect(sip2wa.environment.SIP2WA_SIP_SERVER).toBe('drachtio');
  });

  it('has the folder of every secret that the example refers to, and says what belongs there', () => {
    const references = [...textOf('config/example.yaml').matchAll(/^[^#]+\$\{file:(\/run\/secrets)\/(\w+)\}/gm)];
    expect(references.length).toBeGreaterThan(0);
    const comment = textOf('docker-compose.yml').split('\nname:')[0] ?? '';
    for (const [, folder, name = ''] of references) {
      expect(bindsOf(sip2wa).map(({ target }) => target)).toContain(folder);
      expect(comment).toContain(name);
    }
    // kept out of the repository
    expect(bindsOf(sip2wa).find(({ target }) => target === '/run/secrets')?.source).toMatch(/^\.\/var\//);
    expect(textOf('.gitignore')).toContain('var/');
  });

  it('mounts what may change as folders, since a file that is replaced stays the old one, and makes none of them up', () => {
    expect(bindsOf(sip2wa).map(({ target }) => target)).toEqual(['/etc/sip2wa', '/run/secrets']);
    for (const { read_only, bind } of bindsOf(sip2wa))
      expect([read_only, bind.create_host_path]).toEqual([true, false]);
    expect(mountsOf(sip2wa)).toEqual([['sip2wa-var', '/app/var']]);
  });

  it('has none of compose’s secrets and configs: those that are no file are refused by a read-only container', () => {
    expect([compose.secrets, compose.configs]).toEqual([undefined, undefined]);
    for (const { secrets } of Object.values(compose.services)) expect(secrets).toBeUndefined();
  });

  it('names the version of every image, and declares every volume that it names', () => {
    for (const [name, { image, volumes }] of Object.entries(compose.services)) {
      if (name !== 'sip2wa') expect(image, name).toMatch(/^[a-z./-]+:v?\d+\.\d+(\.\d+)?(-alpine)?$/);
      const named = (volumes ?? []).flatMap((one) =>
        typeof one === 'string' && !one.startsWith('.') ? one.split(':')[0]! : [],
      );
      for (const volume of named) expect(Object.keys(compose.volumes), name).toContain(volume);
    }
  });

  it('asks the right ports whether the services live', () => {
    const { host, port } = defaults.admin.listen;
    expect(sip2wa.healthcheck.test.join(' ')).toContain(`http://${host}:${port}/livez`);
    const command = defaults.sip.drachtio;
    expect(drachtio.healthcheck.test.join(' ')).toContain(`/dev/tcp/${command.host}/${command.port}`);
  });

  it('mounts the configuration that is named, for the command line in the container too, and a place for the journal', () => {
    expect([sip2wa.command, sip2wa.entrypoint]).toEqual([undefined, undefined]);
    expect(textOf('config/docker/Dockerfile')).toContain('CMD ["run"]');
    const named = sip2wa.environment.SIP2WA_CONFIG ?? '';
    const { source } = bindsOf(sip2wa).find(({ target }) => target === dirname(named))!;
    expect(source).toBe('${SIP2WA_CONFIG_DIR:-./config}');
    const comment = textOf('docker-compose.yml').split('\nname:')[0] ?? '';
    expect(comment).toContain(`cp config/example.yaml config/${basename(named)} `);
    expect(textOf('.gitignore').split('\n')).toContain(`config/${basename(named)}`);
    expect(defaults.journal.dir).toMatch(/(?:^\.|\/app)\/var\/|\/var\/journal$/);
    const [file = '', inside = ''] = mountsOf(drachtio)[0] ?? [];
    expect(isThere(file)).toBe(true);
    expect(drachtio.command).toContain(inside);
  });

  it('tells the firewall the ports of the defaults', () => {
    const comment = textOf('docker-compose.yml').split('\nname:')[0] ?? '';
    for (const [from, to] of [defaults.media.rtpPorts, defaults.media.webrtcPorts])
      expect(comment).toContain(`${from}-${to}`);
    expect(comment).toContain(`(${defaults.webhook.listen.port})`);
  });
});

interface Job {
  readonly authorization?: unknown;
  readonly static_configs: readonly [{ readonly targets: readonly string[] }];
}

describe('Prometheus and Grafana of docker-compose.yml', () => {
  const scraped = parse(textOf('config/prometheus/prometheus.yml')) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly [Job, Job];
  };
  const source = parse(textOf('config/grafana/provisioning/datasources/prometheus.yml')) as {
    readonly datasources: readonly [{ readonly url: string; readonly uid: string }];
  };

  it('listen on loopback alone, and ask each other and the daemon where those listen', () => {
    const { host, port } = defaults.admin.listen;
    expect(scraped.scrape_configs[0].static_configs[0].targets).toEqual([`${host}:${port}`]);
    const { DRACHTIO_PROMETHEUS_SCRAPE_PORT: ofDrachtio = '' } = drachtio.environment;
    expect(ofDrachtio).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(scraped.scrape_configs[1].static_configs[0].targets).toEqual([ofDrachtio]);
    const address = /--web\.listen-address=(127\.0\.0\.1:\d+)/.exec(prometheus.command?.join(' ') ?? '')?.[1] ?? '';
    expect(source.datasources[0].url).toBe(`http://${address}`);
    expect(prometheus.healthcheck.test.join(' ')).toContain(`http://${address}/`);
    const { GF_SERVER_HTTP_ADDR, GF_SERVER_HTTP_PORT } = grafana.environment;
    expect(GF_SERVER_HTTP_ADDR).toBe('127.0.0.1');
    expect(grafana.healthcheck.test.join(' ')).toContain(`http://127.0.0.1:${GF_SERVER_HTTP_PORT}/`);
  });

  it('have no password of their own in the file, and need none of the daemon’s, which tells this machine', () => {
    expect(grafana.environment.GF_SECURITY_ADMIN_PASSWORD).toMatch(/^\$\{GRAFANA_PASSWORD:\?.+\}$/);
    expect(scraped.scrape_configs[0].authorization).toBeUndefined();
    expect(prometheus.network_mode).toBe('host');
  });

  it('mount files that are there, at the places that they are told', () => {
    const mounts = [...mountsOf(prometheus), ...mountsOf(grafana)].filter(([source]) => source?.startsWith('./'));
    expect(mounts).toHaveLength(3);
    for (const [source = ''] of mounts) expect(isThere(source), source).toBe(true);
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

  it('looks after its connection to the daemon more often than it would by itself', () => {
    // Seconds between two keep-alives that are not answered; its own 45 make minutes of them.
    const seconds = Number(oneOf(root, 'admin').attributes['tcp-keepalive']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(15);
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
