import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { paint } from '../../../src/cli/console-io.js';
import type { LazyCommands } from '../../../src/cli/program.js';
import { runCli } from '../../../src/cli/program.js';
import { CapturedConsole, saidBy, type Said } from '../../support/captured-console.js';

interface Outcome extends Said {
  readonly called: unknown[];
}

async function cli(
  args: string[],
  env: NodeJS.ProcessEnv = {},
  lazy: Partial<LazyCommands> = {},
  isTerminal = false,
): Promise<Outcome> {
  const called: unknown[] = [];
  const record = (name: string) => (options: unknown) => {
    called.push([name, options]);
    return Promise.resolve(0);
  };
  const commands = { run: record('run'), demo: record('demo'), ...lazy };
  return { ...(await saidBy((io) => runCli(args, io, commands), new CapturedConsole(env, isTerminal))), called };
}

describe('help', () => {
  it.each([[['--help']], [['-h']], [['help']], [[]]])(
    '%j prints commands, exit codes and environment on stdout',
    async (args) => {
      const { code, out, err } = await cli(args);
      expect([code, err]).toEqual([0, '']);
      for (const part of [
        'run [options]',
        'check [options]',
        'demo [options]',
        'route-test [options]',
        'hours [options] <number>',
        'print-config [options]',
        '-V, --version',
        'Exit status:',
        'SIP2WA_CONFIG',
        'NO_COLOR',
      ]) {
        expect(out).toContain(part);
      }
    },
  );

  it.each([
    ['run', ['-c, --config <file>']],
    ['check', ['-c, --config <file>', '--json']],
    ['demo', ['--json', '--pbx <host:port>', '--keep']],
    ['print-config', ['-c, --config <file>', '--json']],
    ['hours', ['-c, --config <file>', '--json', '--at <time>', 'Exit status: 0 open, 1 closed, 2 neither']],
    ['permissions', ['get [options] <number> <user>', 'request [options] <number> <user>']],
    [
      'route-test',
      ['-c, --config <file>', '--json', '--number <number>', '--from <caller>', '--at <time>', '--trunk <name>'],
    ],
  ])('%s --help lists its options', async (command, options) => {
    for (const args of [
      [command, '--help'],
      ['help', command],
    ]) {
      const { code, out } = await cli(args);
      expect(code).toBe(0);
      for (const option of options) expect(out).toContain(option);
    }
  });

  it.each(['get', 'request'])(
    'permissions %s --help says what its arguments are, and its exit codes',
    async (command) => {
      const { code, out, err } = await cli(['permissions', command, '--help']);
      expect([code, err]).toEqual([0, '']);
      for (const part of [
        'NUMBER is a business number',
        'USER is a WhatsApp user',
        'Exit status: 0 done, 1 Meta refused',
      ]) {
        expect(out).toContain(part);
      }
    },
  );

  it('--version is the package’s', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await cli(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['chekc'], "unknown command 'chekc'"],
    [['check', '--jsno'], "unknown option '--jsno'"],
    [['run', '--config'], "option '-c, --config <file>' argument missing"],
    [['check', 'extra'], 'too many arguments'],
    [['--nope'], "unknown option '--nope'"],
  ])('%j is exit code 2, said on stderr', async (args, message) => {
    const { code, out, err, called } = await cli(args);
    expect([code, out, called]).toEqual([2, '', []]);
    expect(err).toContain(message);
  });

  it('gets a suggestion', async () => {
    expect((await cli(['chekc'])).err).toContain('Did you mean check?');
  });
});

describe('commands', () => {
  it('run and demo get their options, and their exit code is passed on', async () => {
    expect((await cli(['run'])).called).toEqual([['run', {}]]);
    expect((await cli(['run', '-c', 'a.yaml'])).called).toEqual([['run', { config: 'a.yaml' }]]);
    expect((await cli(['demo'])).called).toEqual([['demo', { json: false, keep: false }]]);
    expect((await cli(['demo', '--json', '--keep', '--pbx', '127.0.0.1:5070'])).called).toEqual([
      ['demo', { json: true, keep: true, pbx: '127.0.0.1:5070' }],
    ]);
    expect((await cli(['demo'], {}, { demo: () => Promise.resolve(1) })).code).toBe(1);
  });

  it('one that throws is exit code 1 with its message, not a stack', async () => {
    const { code, err } = await cli(['run'], {}, { run: () => Promise.reject(new Error('port taken')) });
    expect([code, err]).toEqual([1, 'sip2wa: port taken\n']);
  });
});

describe('check', () => {
  const BAD_ENV = { SIP2WA_LOG_LEVEL: 'loud' };

  it('says what is there, on stdout; warnings do not fail it', async () => {
    const { code, out, err } = await cli(['check', '--config', 'config/default.yaml']);
    expect(code).toBe(0);
    expect(out).toBe('config/default.yaml: ok: 0 numbers, 0 trunks, 0 routes, 1 warning\n');
    expect(err).toMatch(/^config\/default\.yaml:\d+:1: warning: numbers: no numbers are configured, .*\n$/);
  });

  it('says every error on stderr with its place, and fails', async () => {
    const { code, out, err } = await cli(['check', '--config', 'config/example.yaml'], { SIP2WA_VERIFY_TOKEN: 'x' });
    expect([code, out]).toEqual([1, '']);
    const lines = readFileSync('config/example.yaml', 'utf8').split('\n');
    const place = `${lines.findIndex((line) => line.includes('SIP2WA_ADMIN_TOKEN')) + 1}:10`;
    expect(err).toContain(
      `\nconfig/example.yaml:${place}: admin.token: environment variable SIP2WA_ADMIN_TOKEN is not set; `,
    );
    expect(err).toMatch(/\nconfig\/example\.yaml: 4 errors\n$/);
  });

  it('--json prints one object on stdout and nothing else', async () => {
    const good = await cli(['check', '--json', '-c', 'config/default.yaml']);
    expect(good.err).toBe('');
    expect(JSON.parse(good.out)).toMatchObject({
      ok: true,
      file: 'config/default.yaml',
      errors: [],
      numbers: 0,
      trunks: 0,
      routes: 0,
    });
    const bad = await cli(['check', '--json'], { ...BAD_ENV, SIP2WA_CONFIG: 'config/default.yaml' });
    expect([bad.code, bad.err]).toEqual([1, '']);
    expect(JSON.parse(bad.out)).toMatchObject({
      ok: false,
      errors: [
        {
          file: 'environment variable SIP2WA_LOG_LEVEL',
          line: 0,
          column: 0,
          key: 'log.level',
          cure: 'write one of them',
        },
      ],
    });
  });

  it('names a file that is not there', async () => {
    const { code, err } = await cli(['check', '-c', 'none.yaml']);
    expect([code, err]).toEqual([
      1,
      'none.yaml: the file cannot be read (ENOENT); name a readable file with --config or SIP2WA_CONFIG\nnone.yaml: 1 error\n',
    ]);
  });

  it('is coloured on terminals only, and not with NO_COLOR', async () => {
    const esc = '\u001b[';
    expect((await cli(['check'], BAD_ENV, {}, true)).err).toContain(`${esc}31m1 error${esc}0m`);
    expect((await cli(['check'], { ...BAD_ENV, NO_COLOR: '1' }, {}, true)).err).not.toContain(esc);
    expect((await cli(['check'], BAD_ENV)).err).not.toContain(esc);
    expect(paint({ env: { NO_COLOR: '' }, isTerminal: true }, 'green', 'ok')).toBe(`${esc}32mok${esc}0m`);
    expect(paint({ env: { TERM: 'dumb' }, isTerminal: true }, 'green', 'ok')).toBe('ok');
  });
});
