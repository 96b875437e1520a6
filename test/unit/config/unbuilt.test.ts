import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.js';
import { configJsonSchema } from '../../../src/config/json-schema.js';
import { configOf, errorsOf, warningsOf, working } from './load.js';

type Schema = Record<string, unknown>;

interface Unbuilt {
  /** The key as the schema has it. */
  readonly key: string;
  readonly text: string;
  /** What stands in the loaded configuration instead; without it the value is an error. */
  readonly instead?: readonly [(config: Config) => unknown, unknown];
}

/** Every value that the file may hold and this version does not act upon (decision 0041). */
const UNBUILT: readonly Unbuilt[] = [{ key: 'numbers[].signaling', text: working({ number: ['signaling: sip'] }) }];

/** Every key below a schema that its description says is not in this version. */
function saidToBeUnbuilt(schema: Schema, path = ''): string[] {
  const own = /this version/.test(String(schema['description'])) ? [path] : [];
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const below = properties.flatMap(([key, value]) => saidToBeUnbuilt(value, path === '' ? key : `${path}.${key}`));
  const items = schema['items'] ? saidToBeUnbuilt(schema['items'] as Schema, `${path}[]`) : [];
  return [...own, ...below, ...items];
}

describe('what is not in this version is never silently ignored', () => {
  it.each(UNBUILT.map((each) => [each.key, each.text.split('\n').filter((line) => !working().includes(line)), each]))(
    '%s: %j',
    (_key, _lines, { key, text, instead }) => {
      const said = instead ? warningsOf(text) : errorsOf(text);
      expect(said).toHaveLength(1);
      expect(said[0]).toMatch(/not in this version|only immediate is in this version|comes not before|not pushed yet/);
      expect(said[0]).toContain(`: ${instead ? 'warning: ' : ''}${key.replaceAll('[]', '[0]')}`);
      if (instead) expect(instead[0](configOf(text))).toEqual(instead[1]);
    },
  );

  it('and the schema names the same keys', () => {
    expect(new Set(saidToBeUnbuilt(configJsonSchema()))).toEqual(new Set(UNBUILT.map(({ key }) => key)));
  });

  it('and so do the comments of example.yaml', () => {
    const lines = readFileSync('config/example.yaml', 'utf8').split('\n');
    for (const { key } of UNBUILT) {
      const about = lines.filter((line) =>
        line
          .replace(/^#/, '')
          .trim()
          .startsWith(`${key.split('.').at(-1)}:`),
      );
      expect(about, key).not.toEqual([]);
      for (const line of about) expect(line, key).toContain('this version');
    }
  });
});

describe('keys of the embedded server beside a drachtio-server', () => {
  const server = 'server: drachtio, drachtio: { secret: some-secret-9 }';

  it('are warned of, since they do nothing', () => {
    const text = `sip: { ${server}, listen: ["udp://0.0.0.0:5060"], advertised_host: a.example }\n`;
    expect(warningsOf(text).filter((line) => line.includes('sip'))).toEqual([
      'c.yaml:1:63: warning: sip.listen: is not used with sip.server: drachtio, which listens where its own configuration says; remove it, and set the sockets in drachtio.conf.xml',
      'c.yaml:1:112: warning: sip.advertised_host: is not used with sip.server: drachtio, which shows the address of its own configuration; remove it, and set it in drachtio.conf.xml',
    ]);
  });

  it('are warned of: session timers too, which it runs by its own configuration', () => {
    const [said, ...more] = warningsOf(`sip: { ${server}, session_expires: 10m }\n`).filter((line) =>
      line.includes('sip'),
    );
    expect(said).toContain('warning: sip.session_expires: is not used with sip.server: drachtio');
    expect(more).toEqual([]);
  });

  it('are warned of when the server is chosen by the environment', () => {
    const text = 'sip: { listen: ["udp://0.0.0.0:5060"], drachtio: { secret: some-secret-9 } }\n';
    expect(warningsOf(text).filter((line) => line.includes('sip'))).toEqual([]);
    const env = { SIP2WA_SIP_SERVER: 'drachtio', SIP2WA_SIP_ADVERTISED_HOST: 'a.example' };
    expect(warningsOf(text, { env }).filter((line) => line.includes('sip'))).toHaveLength(2);
  });

  it('are not missed when they are not written, or empty', () => {
    for (const text of [`sip: { ${server} }\n`, `sip: { ${server}, advertised_host: "" }\n`])
      expect(warningsOf(text).filter((line) => line.includes('sip'))).toEqual([]);
  });
});
