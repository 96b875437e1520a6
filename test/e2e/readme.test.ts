import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { commandsOf, fencesOf } from '../support/markdown.js';
import { ReadmeScene, secrets, type Said } from '../support/readme-scene.js';

const top = resolve(import.meta.dirname, '../..');
const textOf = (path: string): string => readFileSync(join(top, path), 'utf8');
const readme = textOf('README.md');
const run = 'npx sip2wa run --config sip2wa.yaml';

/** What a command of the README needs before it can be run. */
type Needs = 'nothing' | 'daemon' | 'call' | 'ended call';

interface Ran {
  readonly needs?: Needs;
  readonly before?: (scene: ReadmeScene) => void;
  /** Exit status; default 0. */
  readonly code?: number;
  /** What the reader types. */
  readonly typed?: string;
  /** What is looked at in the same shell afterwards. */
  readonly after?: string;
  readonly out: RegExp;
  readonly then?: (scene: ReadmeScene, said: Said) => void | Promise<void>;
}

/** It is the daemon that others need: what it has logged once it is ready. */
interface Served {
  readonly logs: RegExp;
}

/** It goes on until Ctrl-C: what it says before. */
interface Watched {
  readonly needs?: Needs;
  readonly says: RegExp;
}

/** It cannot be run here, and why; what is looked at instead. */
interface Read {
  readonly why: string;
  readonly holds: (command: string) => void;
}

const { services } = parse(textOf('docker-compose.yml')) as {
  services: Readonly<
    Record<string, { profiles?: readonly string[]; ports?: readonly string[]; environment?: Record<string, string> }>
  >;
};

const named = (command: string, pattern: RegExp): string => pattern.exec(command)?.[1] ?? '';
const isScript = (command: string): void => {
  const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts);
  const name = named(command, /npm (?:run )?(\w+)$/);
  expect(scripts).toContain(name);
  expect(textOf('.ci/run')).toContain(name);
};
const isShell = (command: string): void => void execFileSync('bash', ['-nc', command]);
const ofAPbx = { why: 'is a command of the PBX, which npm test cannot count on', holds: isShell } satisfies Read;

/** Every command line of the README, and how it is held to work. */
const ways: Readonly<Record<string, Ran | Served | Watched | Read>> = {
  'npm ci && npm run demo': { why: 'installs anew; .ci/run does both', holds: isScript },
  'npm ci && npm test': { why: 'installs anew; .ci/run does both', holds: isScript },
  'npx sip2wa sandbox': { says: /open http:\/\/localhost:\d+\/? in a browser[^]*built in/ },
  'npx sip2wa sandbox --pbx 192.168.1.10:5060': { says: /open http:\/\/localhost:\d+[^]*yours: to call the user/ },
  'npx sip2wa sandbox --config sip2wa.yaml': { says: /open http:\/\/localhost:\d+[^]*business number \+15551112222/ },
  'mkdir -p -m 700 var/secrets': { after: 'ls -d var/secrets', out: /^var\/secrets\n$/ },
  'install -m 600 /dev/stdin var/secrets/whatsapp_token': {
    ...{ typed: `${secrets.token}\n`, after: 'ls -l var/secrets/whatsapp_token' },
    out: /^-rw------- /,
  },
  'install -m 600 /dev/stdin var/secrets/whatsapp_app_secret': {
    ...{ typed: `${secrets.appSecret}\n`, after: 'ls -l var/secrets/whatsapp_app_secret' },
    out: /^-rw------- /,
  },
  '(umask 077; openssl rand -hex 24 | tee var/secrets/verify_token)': { out: /^[0-9a-f]{48}\n$/ },
  'npx sip2wa check --config sip2wa.yaml': { out: /^sip2wa\.yaml: ok: 1 number, 1 trunk, 0 routes\n$/ },
  [run]: { logs: /"configuration read".*"numbers":1,"trunks":1/ },
  'curl localhost:8081/readyz': { needs: 'daemon', out: /^ok\n$/ },
  'caddy reverse-proxy --from bridge.example.com --to localhost:8080': {
    why: 'is another program, which asks the public for a certificate',
    holds: (command) => {
      const { webhook } = parse(fencesOf(readme).find(({ language }) => language === 'yaml')?.text ?? '') as {
        webhook: { listen: string };
      };
      expect(webhook.listen).toBe(`127.0.0.1:${named(command, /localhost:(\d+)$/)}`);
      expect(readme).toContain(`https://${named(command, /--from (\S+)/)}/webhook`);
    },
  },
  'curl -X POST -H "Authorization: Bearer $(cat var/secrets/whatsapp_token)" https://graph.facebook.com/v23.0/WABA_ID/subscribed_apps':
    {
      why: 'is Meta’s to answer',
      holds: (command) => {
        const { graph } = parse(textOf('config/default.yaml')) as { graph: { base_url: string; version: string } };
        expect(command).toContain(`${graph.base_url}/${graph.version}/WABA_ID/subscribed_apps`);
        isShell(command);
      },
    },
  'npx sip2wa settings plan --config sip2wa.yaml': {
    needs: 'daemon',
    before: (scene) => scene.write('whole'),
    code: 2,
    out: /sales[^]*status: DISABLED -> ENABLED/,
  },
  'npx sip2wa settings apply --config sip2wa.yaml': { needs: 'daemon', out: /sales[^]*status: DISABLED -> ENABLED/ },
  'npx sip2wa reload --config sip2wa.yaml': { needs: 'daemon', out: /Changed +numbers/ },
  'npx sip2wa doctor --config sip2wa.yaml': { needs: 'daemon', out: /running and ready[^]*access token/ },
  "asterisk -rx 'module reload res_pjsip.so'": ofAPbx,
  "asterisk -rx 'dialplan reload'": ofAPbx,
  "fs_cli -x 'reloadxml'": ofAPbx,
  "fs_cli -x 'sofia profile external rescan'": ofAPbx,
  'npx sip2wa route-test --config sip2wa.yaml --number sales --from +49301234567 --at 2026-12-24T10:00': {
    out: /trunk pbx/,
  },
  'npx sip2wa route-test --config sip2wa.yaml --trunk pbx --to +49301234567': { out: /sales/ },
  'npx sip2wa permissions get sales +49301234567 --config sip2wa.yaml': { out: /permission/i },
  'npx sip2wa permissions request sales +49301234567 --config sip2wa.yaml': { out: /permission/i },
  'export SIP2WA_CONFIG=$PWD/sip2wa.yaml': { after: 'npx sip2wa check', out: /sip2wa\.yaml: ok/ },
  'npx sip2wa print-config': {
    out: /sip2wa\.yaml/,
    then: (_scene, { out }) => expect(out).not.toContain('-of-the-readme'),
  },
  'sudo cp config/systemd/sip2wa.service /etc/systemd/system/': {
    why: 'changes the machine',
    holds: (command) => expect(existsSync(join(top, named(command, /cp (\S+)/)))).toBe(true),
  },
  'sudo systemctl enable --now sip2wa': { why: 'changes the machine', holds: verifiedUnit },
  'docker compose up -d': {
    why: 'needs Docker and its images; test/unit/repo/deployment.test.ts holds the file against the code',
    holds: () => expect(Object.keys(services)).toContain('sip2wa'),
  },
  'docker compose --profile homer up -d': {
    why: 'the same',
    holds: () => {
      expect(services['homer']?.profiles).toEqual(['homer']);
      expect(services['homer']?.ports).toEqual(['127.0.0.1:9080:80']);
      expect(readme).toContain('http://127.0.0.1:9080');
    },
  },
  'docker compose exec sip2wa node dist/main.js calls': {
    why: 'the same',
    holds: (command) => {
      // No shell and no entry point in between: what the image runs, from its working directory, with the file that the service names.
      const image = textOf('config/docker/Dockerfile');
      const program = named(command, /exec sip2wa (.+) calls$/).split(' ');
      expect(image).toContain(`ENTRYPOINT ${JSON.stringify(program).replaceAll('","', '", "')}`);
      expect(image.split('\n').filter((line) => line.startsWith('WORKDIR'))).toEqual(['WORKDIR /app', 'WORKDIR /app']);
      expect(services['sip2wa']?.environment?.['SIP2WA_CONFIG']).toBe('/etc/sip2wa/sip2wa.yaml');
    },
  },
  'npx sip2wa calls --watch': { needs: 'call', says: /connected[^]*1 call/ },
  'npx sip2wa call show 01M82J': { needs: 'call', out: /connected[^]*whatsapp[^]*opus/i },
  'npx sip2wa call trace 01M82J': { needs: 'call', out: /webhook connect[^]*INVITE pbx[^]*200 OK[^]*\[connected\]/ },
  'npx sip2wa call trace 01M82J --pcap call.pcapng --for 30s': {
    needs: 'call',
    out: /^$/,
    then: (scene) => {
      const file = scene.fileOf('call.pcapng');
      // a section header block (pcapng §4.1), and the INVITE
      expect(file.readUInt32LE(0)).toBe(0x0a0d0d0a);
      expect(file.includes('INVITE sip:')).toBe(true);
    },
  },
  'npx sip2wa log-level debug --call 01M82J --for 10m': { needs: 'call', out: /debug/ },
  'npx sip2wa call hangup 01M82J': { needs: 'call', out: /^[0-9A-Z]{26}\n$/ },
  'npx sip2wa trunks': { needs: 'daemon', out: /pbx[^]*127\.0\.0\.1:\d+ +up/ },
  'npx sip2wa numbers': { needs: 'daemon', out: /sales +\+15551112222 +pbx[^]*open +in step/ },
  'source <(npx sip2wa completion bash)': { after: 'complete -p sip2wa', out: /^complete -F _sip2wa sip2wa\n$/ },
  'npx sip2wa check && npx sip2wa reload': { needs: 'daemon', out: /ok: 1 number/ },
  'npx sip2wa drain --stop --wait': {
    needs: 'daemon',
    out: /stop/,
    then: async (scene) => expect(await scene.daemonEnds()).toBe(0),
  },
  'npx sip2wa doctor': { needs: 'daemon', out: /running and ready/ },
  'npx sip2wa calls --ended': { needs: 'ended call', out: /hangup[^]*1 call: 1 ended/ },
};

/** What systemd says of the unit, where there is one; the paths of an installed system are not there. */
function verifiedUnit(): void {
  if (!existsSync('/usr/bin/systemd-analyze')) return;
  // it says what it ignores, and succeeds
  const said = spawnSync('systemd-analyze', ['verify', 'config/systemd/sip2wa.service'], {
    cwd: top,
    encoding: 'utf8',
  }).stderr;
  const faults = said.split('\n').filter((line) => /sip2wa\.service:\d+|Unknown|Invalid|parse/i.test(line));
  expect(faults).toEqual([]);
}

const commands = [...new Set(commandsOf(readme))];

describe('the commands of the README', () => {
  let scene: ReadmeScene;
  // reads every source, on a machine that may be busy with other tests
  beforeAll(async () => {
    scene = await ReadmeScene.start(readme);
  }, 120_000);
  afterAll(() => scene.stop());

  it('are all known here, and no other', () => {
    expect(commands.filter((command) => !(command in ways))).toEqual([]);
    expect(Object.keys(ways).filter((command) => !commands.includes(command))).toEqual([]);
  });

  const readied = async (command: string, needs: Needs = 'nothing'): Promise<string> => {
    if (needs === 'nothing') return command;
    await scene.daemon(run);
    if (needs === 'ended call') await scene.endedCall();
    return needs === 'call' ? command.replace('01M82J', await scene.call()) : command;
  };

  it.each(commands.filter((command) => command in ways))('%s', async (command) => {
    const way = ways[command]!;
    if ('why' in way) return way.holds(command);
    if ('logs' in way) {
      await scene.daemon(command);
      return expect(scene.log).toMatch(way.logs);
    }
    const line = await readied(command, way.needs);
    if ('says' in way) expect((await scene.watch(line, way.says)).out).toMatch(way.says);
    else {
      way.before?.(scene);
      const said = await scene.run(line, { after: way.after, typed: way.typed });
      expect(said.code, said.out + said.err).toBe(way.code ?? 0);
      expect(said.out, said.err).toMatch(way.out);
      await way.then?.(scene, said);
    }
  });
});
