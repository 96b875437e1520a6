import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { settingsYaml } from '../config/settings-yaml.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { todayIn } from '../routing/today.js';
import type { WaNumber } from '../routing/types.js';
import { GraphError } from '../whatsapp/graph-error.js';
import { SettingsClient } from '../whatsapp/settings/settings-client.js';
import { settingsDifference } from '../whatsapp/settings/settings-difference.js';
import { reportCheck } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { graphClientOf } from './graph-client-of.js';
import { numberNamed, UsageError } from './named-in-config.js';
import { errorText } from './permissions-report.js';
import { outcomesJson, outcomeText, summaryText, type NumberOutcome } from './settings-report.js';

export interface SettingsOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export interface SettingsPullOptions extends SettingsOptions {
  /** Ask for the SIP password of each server as well. */
  readonly sipCredentials?: boolean;
  /** Print it. */
  readonly showSecrets?: boolean;
}

export interface SettingsApplyOptions extends SettingsOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** Exit status of `plan` and `drift` when Meta holds otherwise. */
const EXIT_CHANGES = 2;
/** Numbers that are asked for at a time. */
const AT_A_TIME = 4;

/** Asks a question on the terminal; true for yes. Undefined where there is no terminal. */
export type Confirm = ((question: string) => Promise<boolean>) | undefined;

/** What a subcommand works with once the command line and the configuration are read. */
interface Scope {
  readonly client: SettingsClient;
  readonly numbers: readonly WaNumber[];
  readonly todayOf: (number: WaNumber) => string;
}

/** `sip2wa settings pull`: what Meta holds, as YAML to paste into the file. */
export function settingsPullCommand(
  names: readonly string[],
  options: SettingsPullOptions,
  io: ConsoleIo,
  clock: Clock = systemClock,
): Promise<number> {
  return working('pull', names, options, io, clock, async ({ client, numbers }) => {
    const pulled = await eachOf(numbers, async (number) => {
      const calling = await client.pull(number.id, options.sipCredentials);
      return { number, calling: options.showSecrets ? calling : masked(calling) };
    });
    const good = pulled.flatMap((one) => ('calling' in one ? [one] : []));
    if (options.json) io.stdout(json({ ok: good.length === pulled.length, numbers: pulled.map(pulledJson) }));
    else if (good.length > 0) io.stdout(settingsYaml(good));
    return pulled.map((one) => ('error' in one ? failed(one, 'pull', options, io) : EXIT.ok)).find(Boolean) ?? EXIT.ok;
  });
}

/** `sip2wa settings plan`: what `apply` would change. Exit status 2 when there is something. */
export function settingsPlanCommand(
  names: readonly string[],
  options: SettingsOptions,
  io: ConsoleIo,
  clock: Clock = systemClock,
  command: 'plan' | 'drift' = 'plan',
): Promise<number> {
  return working(command, names, options, io, clock, async (scope) => {
    const outcomes = await planned(scope);
    report(outcomes, options, io);
    return exitOf(outcomes);
  });
}

/** `sip2wa settings apply`: makes it so, reads back, compares. */
export function settingsApplyCommand(
  names: readonly string[],
  options: SettingsApplyOptions,
  io: ConsoleIo,
  confirm?: Confirm,
  clock: Clock = systemClock,
): Promise<number> {
  return working('apply', names, options, io, clock, async (scope) => {
    const plan = await planned(scope);
    const differing = plan.filter(({ state }) => state === 'differs');
    const isAsked = confirm !== undefined && options.yes !== true && options.dryRun !== true && differing.length > 0;
    if (options.dryRun === true || differing.length === 0) {
      report(plan, options, io);
      return plan.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.ok;
    }
    if (isAsked) {
      report(plan, { ...options, json: false }, { ...io, stdout: io.stderr });
      if (!(await confirm('Apply these changes at Meta?'))) {
        io.stderr('sip2wa settings apply: nothing was sent\n');
        return EXIT.failed;
      }
    }
    const outcomes = await applied(scope, plan, options, io);
    report(outcomes, options, io);
    return exitOf(outcomes);
  });
}

async function planned({ client, numbers, todayOf }: Scope): Promise<NumberOutcome[]> {
  const found = await eachOf(numbers, async (number): Promise<NumberOutcome> => {
    if (number.settings === undefined) return { number, changes: [], state: 'unmanaged' };
    const changes = settingsDifference(number.settings, await client.pull(number.id), todayOf(number));
    return { number, changes, state: changes.length === 0 ? 'in step' : 'differs' };
  });
  return found.map(withFailure);
}

async function applied(
  { client, numbers, todayOf }: Scope,
  plan: readonly NumberOutcome[],
  { json: isJson }: SettingsApplyOptions,
  io: ConsoleIo,
): Promise<NumberOutcome[]> {
  const wanting = new Set(plan.filter(({ state }) => state === 'differs').map(({ number }) => number.id));
  let count = 0;
  const found = await eachOf(
    numbers.filter(({ id }) => wanting.has(id)),
    async (number): Promise<NumberOutcome> => {
      const { changes, remaining } = await client.apply(number.id, number.settings ?? {}, todayOf(number));
      count++;
      if (io.isTerminal && isJson !== true) io.stderr(`sip2wa settings apply: ${count} of ${wanting.size} numbers\n`);
      if (remaining.length > 0) return { number, changes, remaining, state: 'not kept' };
      return { number, changes, state: 'applied' };
    },
  );
  const done = new Map(found.map((one) => [one.number.id, withFailure(one)]));
  return plan.map((one) => done.get(one.number.id) ?? one);
}

type Failed = { readonly number: WaNumber; readonly error: string };

const withFailure = (found: NumberOutcome | Failed): NumberOutcome =>
  'state' in found ? found : { ...found, changes: [], state: 'failed' };

/** Works on a few numbers at a time; what fails for one touches no other. In the order of the numbers. */
async function eachOf<T>(
  numbers: readonly WaNumber[],
  work: (number: WaNumber) => Promise<T>,
): Promise<(T | Failed)[]> {
  const results = new Array<T | Failed>(numbers.length);
  const queue = [...numbers.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, number] = next;
      try {
        results[index] = await work(number);
      } catch (error) {
        const text = error instanceof GraphError ? errorText(error) : `unexpected: ${String(error)}`;
        results[index] = { number, error: text };
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

function report(outcomes: readonly NumberOutcome[], { json: isJson }: SettingsOptions, io: ConsoleIo): void {
  if (isJson) return io.stdout(json(outcomesJson(outcomes)));
  const painter = { env: io.env, isTerminal: io.isStdoutTerminal === true };
  io.stdout(outcomes.map((outcome) => outcomeText(outcome, painter)).join(''));
  io.stdout(summaryText(outcomes));
}

function exitOf(outcomes: readonly NumberOutcome[]): number {
  if (outcomes.some(({ state }) => state === 'failed' || state === 'not kept')) return EXIT.failed;
  return outcomes.some(({ state }) => state === 'differs') ? EXIT_CHANGES : EXIT.ok;
}

/** Reads configuration and names; every number where none is named. */
async function working(
  command: string,
  names: readonly string[],
  options: SettingsOptions,
  io: ConsoleIo,
  clock: Clock,
  work: (scope: Scope) => Promise<number>,
): Promise<number> {
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) return reportCheck(result, options.json === true, io);
  const { config } = result;
  const graph = graphClientOf(config, clock);
  try {
    const todayOf = (number: WaNumber): string => todayIn(number.callHours?.timezoneId, clock.now());
    return await work({ client: new SettingsClient(graph), numbers: chosen(names, config), todayOf });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`sip2wa settings ${command}: ${error.message}\n`);
    return EXIT.usage;
  } finally {
    graph.close();
  }
}

function chosen(names: readonly string[], { numbers }: Config): readonly WaNumber[] {
  const found = names.length === 0 ? numbers : names.map((name) => numberNamed(name, numbers));
  if (found.length === 0) throw new UsageError('the configuration has no numbers');
  return [...new Set(found)];
}

function failed({ number, error }: Failed, command: string, options: SettingsOptions, io: ConsoleIo): number {
  if (options.json !== true) io.stderr(`sip2wa settings ${command}: ${number.name}: ${error}\n`);
  return EXIT.failed;
}

const json = (report: Readonly<Record<string, unknown>>): string => `${JSON.stringify(report, null, 2)}\n`;

function pulledJson(one: { number: WaNumber; calling: unknown } | Failed): Readonly<Record<string, unknown>> {
  const { id, name, number } = one.number;
  return { id, name, number, ...('error' in one ? { error: one.error } : { settings: { calling: one.calling } }) };
}

/** Passwords as stars, wherever they stand. */
function masked<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, each: unknown) => (key === 'sip_user_password' ? '********' : each)),
  ) as T;
}
