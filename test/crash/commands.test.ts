import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, rtpPorts, webrtcPorts } from '../support/ports.js';
import { until } from '../support/until.js';
import { ProcessScene } from './process-scene.js';

// Commands that stay until they are told to end, and what they say meanwhile: each as the built program.

/** `sip2wa` as a process of its own. */
class Command {
  out = '';
  err = '';
  readonly #child: ChildProcess;

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, ['dist/main.js', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString('utf8')));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString('utf8')));
  }

  /** Waits for something on standard output. */
  says(pattern: RegExp, deadlineMs = 20_000): Promise<void> {
    const isSaid = (): boolean => {
      if (!pattern.test(this.out) && this.#child.exitCode !== null) throw new Error(`it ended\n${this.out}${this.err}`);
      return pattern.test(this.out);
    };
    return until(isSaid, `${String(pattern)} of\n${this.out}${this.err}`, deadlineMs);
  }

  async ends(signal?: NodeJS.Signals, deadlineMs = 20_000): Promise<number | null> {
    if (signal && this.#child.exitCode === null) this.#child.kill(signal);
    const isGone = (): boolean => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await until(isGone, 'the end of the command', deadlineMs);
    return this.#child.exitCode;
  }
}

let command: Command | undefined;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-commands-'));
});
afterEach(async () => {
  await command?.ends('SIGKILL');
  command = undefined;
  rmSync(folder, { recursive: true });
});

describe('run', () => {
  const config = async (format: string): Promise<string> => {
    const file = join(folder, 'sip2wa.yaml');
    const text = `
webhook: { listen: "127.0.0.1:${await freePort()}" }
admin: { listen: "127.0.0.1:${await freePort()}" }
sip: { listen: ["udp://127.0.0.1:0"] }
media: { listen_ip: 127.0.0.1, rtp_ports: ${rtpPorts.join('-')}, webrtc_ports: ${webrtcPorts.join('-')} }
log: { format: ${format} }
journal: { dir: "${folder}/journal" }
cdr: { file: "${folder}/cdr.jsonl" }
`;
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const ready = async (file: string): Promise<Command> => {
    const running = (command = new Command('run', '--config', file));
    await until(() => /"ready"|\bready\b.*webhook/.test(running.err), `ready of\n${running.err}`, 20_000);
    return running;
  };

  it('run: its log is JSON on standard error, a line each, and SIGTERM is exit code 0', async () => {
    const running = await ready(await config('json'));
    expect(await running.ends('SIGTERM')).toBe(0);
    const lines = running.err.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore
    const said = lines.map(({ msg }) => msg);
    expect(said).toEqual(expect.arrayContaining(['configuration read', 'ready', 'stopping']));
    expect(running.out).toBe('');
  });

  it('run: its log is text for people where that is asked for', async () => {
    const running = await ready(await config('pretty'));
    expect(await running.ends('SIGINT')).toBe(0);
    const lines = running.err.trim().split('\n');
    expect(lines.some((line) => line.startsWith('{'))).toBe(false);
    expect(lines.some((line) => /\bconfiguration read\b/.test(line))).toBe(true);
    expect(running.out).toBe('');
  });
});

describe('run with tracing', () => {
  it('without the packages of OpenTelemetry: exit code 1, and how to install them', async () => {
    const scene = await ProcessScene.prepare('tracing: { otlp_url: "http://127.0.0.1:4318" }');
    const hide = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(\`
      export function resolve(specifier, context, next) {
        if (!specifier.startsWith('@opentelemetry/sdk-trace-base')) return next(specifier, context);
        throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
      }\`));`;
    try {
      scene.daemon.start(['--import', `data:text/javascript,${encodeURIComponent(hide)}`]);
      expect(await scene.daemon.exited()).toBe(1);
      const [failed] = scene.log.filter(({ msg }) => msg === 'start failed');
      expect(failed?.['err']).toMatchObject({ code: 'SIP2WA_TRACING_UNAVAILABLE' });
      expect(String((failed?.['err'] as { message?: unknown }).message)).toMatch(
        /not installed; in the folder of sip2wa: npm install .*'@opentelemetry\/sdk-trace-base@/,
      );
    } finally {
      await scene.close();
    }
  });
});

describe('sandbox', () => {
  it('sandbox: says where everything is, and SIGINT is exit code 0', async () => {
    command = new Command('sandbox', '--port', '0', '--user', '+49301234567');
    await command.says(/business number/);
    expect(command.out).toMatch(
      /^sip2wa sandbox: open http:\/\/localhost:\d+\/\S* in a browser; Ctrl-C ends it\n {2}calls /,
    );
    expect(command.out).toContain('\n  user    +49301234567, business number +');
    const page = /open (\S+) in/.exec(command.out)?.[1] ?? '';
    expect((await fetch(page)).status).toBe(200);
    expect(await command.ends('SIGINT')).toBe(0);
  });

  it('sandbox --json: the same as one object', async () => {
    command = new Command('sandbox', '--port', '0', '--json');
    await command.says(/\}\n$/);
    const said = JSON.parse(command.out) as Record<string, string>;
    expect(said).toMatchObject({ ok: true, pbx: 'built-in', user: '+12025550173' });
    for (const place of ['page', 'calls']) expect((await fetch(said[place] ?? '')).status).toBe(200);
    expect(said['sip']).toEqual([expect.stringMatching(/^udp:\/\/.+:\d+$/)]);
    expect(await command.ends('SIGTERM')).toBe(0);
  });
});

describe('demo', () => {
  // What they heard is judged where nothing else runs (.ci/demo); here it is how that is said, and that both agree.
  it(
    'demo and demo --json: a timeline for people, one object and nothing else for programs',
    { timeout: 130_000 },
    async () => {
      const [people, program] = [new Command('demo'), new Command('demo', '--json')];
      try {
        const codes = [await people.ends(undefined, 120_000), await program.ends(undefined, 120_000)];
        const verdict = /\n(Both calls carried audio both ways\.|FAILED: not every direction was heard\.)\n/;
        expect(people.out).toMatch(/^sip2wa demo: nothing leaves this machine\n {2}Meta /);
        expect(people.out).toMatch(/\nA WhatsApp user calls the business: answered after \d+ ms\n/);
        expect(people.out).toMatch(/\nThe PBX calls a WhatsApp user: answered after \d+ ms\n/);
        expect(people.out.match(/^ {2}the PBX heard {3}tone /gm)).toHaveLength(2);
        expect(verdict.exec(people.out)?.[1]).toMatch(codes[0] === 0 ? /^Both/ : /^FAILED/);
        const { calls } = JSON.parse(program.out) as { calls: Record<string, unknown>[] };
        expect(calls).toMatchObject([
          { direction: 'user_initiated', answered: true },
          { direction: 'business_initiated', answered: true },
        ]);
        expect([0, 1]).toContain(codes[1]);
      } finally {
        for (const one of [people, program]) await one.ends('SIGKILL');
      }
    },
  );
});
