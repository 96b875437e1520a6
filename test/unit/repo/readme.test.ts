import { posix } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { causeTable, metaFailures, type EndCode } from '../../../src/call/failure-table.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { commandTree, type CommandHelp } from '../../support/command-tree.js';
import { anchorsOf, codeSpansOf, commandsOf, fencesOf, linksOf, tableOf } from '../../support/markdown.js';
import { committedFiles, isThere, textOf } from './repository.js';

const readme = textOf('README.md');
/** Words that stand on two lines of the page stand on one here. */
const flat = readme.replaceAll(/\s+/g, ' ');

describe.each(['README.md', 'config/README.md', 'test/bench/README.md', 'src/ARCHITECTURE.md'])('%s', (page) => {
  it('links to files and headings that are there', () => {
    const lost = linksOf(textOf(page))
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : posix.join(posix.dirname(page), path);
        return !isThere(file) || (anchor !== undefined && !anchorsOf(textOf(file)).has(anchor));
      });
    expect(lost).toEqual([]);
  });
});

describe('the configurations of the README', () => {
  const [first = '', ...more] = fencesOf(readme)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => text);

  const load = (yaml: string) =>
    loadConfig({
      file: 'sip2wa.yaml',
      env: {},
      readFile: (path) => ({ text: path.endsWith('sip2wa.yaml') ? yaml : `content of ${path}`, mode: 0o600 }),
    });

  it('the first is read as it stands, without an error or a warning', () => {
    const result = load(first);
    expect([...(result.ok ? [] : result.errors), ...result.warnings]).toEqual([]);
    expect(result.ok && result.config.numbers.map(({ name, trunk }) => [name, trunk])).toEqual([['sales', 'pbx']]);
  });

  it.each(more.map((text) => [text]))('each other in place of the same sections of it: %s', (text) => {
    const whole = { ...(parse(first) as object), ...(parse(text) as object) };
    const result = load(stringify(whole));
    expect([...(result.ok ? [] : result.errors), ...result.warnings]).toEqual([]);
  });
});

describe('the commands of the README', () => {
  let commands: readonly CommandHelp[];
  beforeAll(async () => (commands = await commandTree()));

  const written = (arg: string): string => arg.replace(/^<(.+)>$/, '$1').toUpperCase();
  const plain = (cell: string): string => cell.replaceAll('`', '');

  it('the table has every command of the program with its arguments, and no other', () => {
    const rows = tableOf(readme, 'command').map(([command = '']) => plain(command));
    const all = commands.map(({ path, args }) => [...path, ...args.map(written)].join(' '));
    expect(rows.sort()).toEqual(all.sort());
  });

  it('and all its options, but for those that nearly all have', () => {
    const common = ['--config', '--json'];
    const rows = tableOf(readme, 'command').map(([command = '', , options = '']) => [
      plain(command).replace(/ [[A-Z].*$/, ''),
      (options.match(/--[a-z-]+/g) ?? []).sort(),
    ]);
    const all = commands.map(({ path, options }) => [
      path.join(' '),
      options.filter((option) => !common.includes(option)).sort(),
    ]);
    expect(new Map(rows as [string, string[]][])).toEqual(new Map(all as [string, string[]][]));
  });

  it('those without --json are named', () => {
    const without = commands.filter(({ options }) => !options.includes('--json')).map(({ path }) => path.join(' '));
    const said = /`--json` for scripts \(all but ([^)]*)\)/.exec(flat)?.[1] ?? '';
    expect((said.match(/`([^`]+)`/g) ?? []).map(plain).sort()).toEqual(without.sort());
  });

  it('whatever is called in the text and in its blocks is a command of the program, with options that it has', () => {
    const called = [...codeSpansOf(readme), ...commandsOf(readme)]
      .map((text) => text.replace('docker compose exec sip2wa node dist/main.js ', 'sip2wa '))
      .flatMap((text) => text.match(/\bsip2wa .*/g) ?? []);
    expect(called.length).toBeGreaterThan(30);
    const unknown = called
      .flatMap((text) => text.split(/ && (?:npx )?|\)/).filter((part) => part.startsWith('sip2wa ')))
      .filter((text) => {
        const words = text.split(' ').slice(1);
        const fits = commands.find(({ path }) => path.every((name, index) => words[index] === name));
        const options = words.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''));
        return !fits || options.some((option) => ![...fits.options, '--help'].includes(option));
      });
    expect(unknown).toEqual([]);
  });
});

describe('what the README says of symptoms', () => {
  const bullets = flat.slice(flat.indexOf('## When something does not work'), flat.indexOf('## Sizing')).split(' - **');

  /** SIP status that the PBX gets for a code of Meta's before the answer. */
  const statusOf = (code: number): number | undefined => {
    const failure = metaFailures.get(code);
    return failure && (failure.sipStatus ?? causeTable[failure.code].sipStatus);
  };

  it('is there for those that come up most', () => {
    const wanted = ['never arrive', 'Silence', '20-second', 'One-way', '32-second', '138006', '131055', '403', '488'];
    const missing = [...wanted, '486', '503', 'DTMF', 'Echo', 'Late audio', 'Garbled'].filter(
      (symptom) => !bullets.some((text) => text.slice(0, 300).includes(symptom)),
    );
    expect(missing).toEqual([]);
  });

  it.each([
    [403, '403** to the PBX'],
    [486, 'Busy, 486'],
    [503, '503.**'],
    [403, '138006** (the PBX gets 403)'],
    [503, '131055** (the PBX gets 503)'],
  ])('%i is what Meta’s codes come to in the failure table: %s', (status, head) => {
    const text = bullets.find((bullet) => bullet.startsWith(head)) ?? '';
    const codes = [...text.matchAll(/\b(13[18]\d{3}|190)\b/g)].map(([, code]) => Number(code));
    expect(codes).not.toEqual([]);
    expect(codes.map((code) => [code, statusOf(code)])).toEqual(codes.map((code) => [code, status]));
  });

  it('names end codes, and Meta’s codes that come to them', () => {
    const of = (head: string): string => bullets.find((bullet) => bullet.startsWith(head)) ?? '';
    const cases: readonly (readonly [string, EndCode])[] = [
      ['Silence both ways', 'media_failed'],
      ['20-second drop', 'media_timeout'],
      ['Drop after 30 s', 'media_timeout'],
      ['The call arrives', 'trunk_down'],
    ];
    for (const [head, code] of cases) {
      expect(of(head), head).toContain(`\`${code}\``);
      expect(Object.keys(causeTable)).toContain(code);
    }
    expect(of('Silence both ways')).toContain(`${causeTable.media_failed.sipStatus}`);
    for (const [head, code] of [cases[0]!, cases[1]!]) {
      for (const [, meta = ''] of of(head).matchAll(/\b(138\d{3})\b/g)) {
        const failure = metaFailures.get(Number(meta));
        expect([failure?.code, failure?.afterAnswer?.code], meta).toContain(code);
      }
    }
  });

  it.each([
    ['SIP from an unknown source dropped', 'src/sip-server/core/stranger-count.ts'],
    ['webhook signature is wrong or missing', 'src/http/webhook-listener.ts'],
    ['webhook of a number that is not configured', 'src/whatsapp/webhook-log.ts'],
    ['webhook call is too old or from the future', 'src/whatsapp/webhook-log.ts'],
    ['ACK timeout', 'src/sip-server/core/uas.ts'],
    ['Session timer expired', 'src/sip-server/core/session-timers.ts'],
    ['no media', 'src/call/call-machine.ts'],
    ['media stopped', 'src/call/call-machine.ts'],
    ['outside the networks of the trunk', 'src/media/rtp-endpoint.ts'],
    ['first audio', 'src/pages/dashboard/rungs.ts'],
    ['InLoss%', 'src/cli/call-report.ts'],
    ['app webhooks', 'src/daemon/doctor/'],
    ['account webhooks', 'src/daemon/doctor/'],
    ['webhook from outside', 'src/daemon/doctor/'],
    ['app secret', 'src/daemon/doctor/'],
    ['Sip2waLoopSlow', 'config/prometheus/alerts.yml'],
    ['Sip2waMediaWorkerLate', 'config/prometheus/alerts.yml'],
    ['sip2wa_settings_drift', 'src/observability/metrics.ts'],
  ])('quotes what is written there: %s', (text, file) => {
    expect(flat).toContain(text);
    const files = committedFiles().filter((path) => path.startsWith(file));
    expect(files.some((path) => textOf(path).includes(text))).toBe(true);
  });

  it('says 488 of audio addresses that are refused, as test/e2e/nothing-leaves.test.ts shows', () => {
    const text = bullets.find((bullet) => bullet.startsWith('488.**')) ?? '';
    expect(text).toContain('outside the networks of the trunk');
    expect(causeTable.no_codec.sipStatus).toBe(488);
  });

  it('names the line of the doctor about SIP mode', () => {
    expect(flat).toContain('`signaling NUMBER`');
    expect(textOf('src/daemon/doctor/meta-checks.ts')).toContain('name: `signaling ${name}`');
  });
});

describe('what the READMEs say of keys and ports', () => {
  const keys = new Set(keysOf(JSON.parse(textOf('config/schema.json')) as Schema));

  it.each(['README.md', 'config/README.md'])('%s names keys that the configuration has', (page) => {
    const sections =
      'graph|webhook|admin|sip|media|trunks|trunk_defaults|numbers|settings|calls|permissions|log|journal|cdr|hep|tracing';
    const isKey = new RegExp(`^(?:${sections})(?:\\[\\])?\\.[a-z_.]+$`);
    const named = codeSpansOf(textOf(page))
      .map((span) => span.replace(/: .*$/, ''))
      .filter((span) => isKey.test(span) && !span.endsWith('.com'));
    expect(named.length).toBeGreaterThan(3);
    const unknown = named.filter((key) => ![...keys].some((one) => one === key || one.endsWith(`].${key}`)));
    expect(unknown).toEqual([]);
  });

  it('the firewall opens what the defaults listen on', () => {
    const result = loadConfig({ file: 'config/default.yaml', env: {} });
    if (!result.ok) throw new Error('config/default.yaml is not valid');
    const { media, webhook, admin, sip } = result.config;
    const rows = tableOf(readme, 'open').map((cells) => cells.join(' '));
    const row = (start: string): string => rows.find((text) => text.startsWith(start)) ?? '';
    expect(row('WhatsApp audio')).toContain(media.webrtcPorts.join('-'));
    expect(row('PBX audio')).toContain(media.rtpPorts.join('-'));
    expect(row('webhook')).toContain(`(${webhook.listen.port})`);
    expect(row('never')).toContain(`${admin.listen.port} (admin)`);
    for (const { port } of sip.listen) expect(row('SIP')).toContain(`${port}`);
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Every key of a JSON Schema, like `numbers[].settings.calling.status`. */
function keysOf({ properties = {}, items, anyOf = [] }: Schema, path = ''): string[] {
  const own = Object.entries(properties).flatMap(([key, schema]) => {
    const name = path === '' ? key : `${path}.${key}`;
    return [name, ...keysOf(schema, name)];
  });
  return [...own, ...(items ? keysOf(items, `${path}[]`) : []), ...anyOf.flatMap((schema) => keysOf(schema, path))];
}
