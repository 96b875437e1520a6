import { effectiveConfig } from '../config/effective-config.js';
import { effectiveYaml } from '../config/effective-yaml.js';
import { keyText } from '../config/issue.js';
import { reportCheck, type CheckOptions } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';

/**
 * `sip2wa print-config`: prints every value that is in effect and where it comes from, secrets as stars. Exit code 0, or 1 on
 * errors, which are printed as `check` does.
 */
export function printConfigCommand(options: CheckOptions, io: ConsoleIo): number {
  const effective = effectiveConfig({ file: options.config, env: io.env });
  if (!effective.ok) return reportCheck(effective.result, options.json === true, io);
  const { file, values } = effective;
  if (options.json) {
    const shown = values.map(({ path, value, from }) => ({ key: keyText(path), value: value ?? null, from }));
    io.stdout(`${JSON.stringify({ ok: true, file, values: shown }, null, 2)}\n`);
  } else io.stdout(effectiveYaml(file, values));
  return EXIT.ok;
}
