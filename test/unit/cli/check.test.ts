import { afterAll, describe, expect, it } from 'vitest';
import { checkCommand } from '../../../src/cli/check.js';
import { installCommand } from '../../../src/observability/tracing/tracing-packages.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

const MISSING = '@opentelemetry/api is not installed';

const file = new ConfigFile('tracing:\n  otlp_url: http://127.0.0.1:4318\n');
const traced = file.path;
afterAll(() => file.remove());

function check(config: string, fault: string | undefined, more: { json?: boolean; env?: NodeJS.ProcessEnv } = {}) {
  let asked = 0;
  const io = new CapturedConsole(more.env);
  const packages = (): string | undefined => {
    asked++;
    return fault;
  };
  const code = checkCommand({ config, json: more.json === true }, io, packages);
  return { code, out: io.out, err: io.err, asked };
}

describe('sip2wa check where traces are to be made', () => {
  it('warns of packages that are not there, with the place and the command, and does not fail', () => {
    const { code, out, err } = check(traced, MISSING);
    expect(code).toBe(0);
    expect(out).toBe(`${traced}: ok: 0 numbers, 0 trunks, 0 routes, 2 warnings\n`);
    expect(err).toContain(
      `${traced}:2:13: warning: tracing.otlp_url: the daemon cannot start: ${MISSING}; in the folder of sip2wa: ${installCommand()}\n`,
    );
  });

  it('says the same with --json', () => {
    const { code, out, err } = check(traced, MISSING, { json: true });
    expect([code, err]).toEqual([0, '']);
    const { ok, warnings } = JSON.parse(out) as { ok: boolean; warnings: { key: string; cure: string }[] };
    expect(ok).toBe(true);
    const found = warnings.filter(({ key }) => key === 'tracing.otlp_url');
    expect(found).toMatchObject([{ line: 2, cure: `in the folder of sip2wa: ${installCommand()}` }]);
  });

  it('warns also when the collector stands in the environment', () => {
    const env = { SIP2WA_TRACING_OTLP_URL: 'http://127.0.0.1:4318' };
    expect(check('config/default.yaml', MISSING, { env }).err).toContain(`tracing.otlp_url: the daemon cannot start`);
  });

  it('says nothing of packages that are there', () => {
    expect(check(traced, undefined).err).not.toContain('tracing');
  });

  it('does not even look for them where no traces are made', () => {
    const { asked, err } = check('config/default.yaml', MISSING);
    expect(asked).toBe(0);
    expect(err).not.toContain('tracing');
  });
});
