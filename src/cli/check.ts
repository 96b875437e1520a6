import type { Complaint, ConfigIssue } from '../config/issue.js';
import { formatIssue } from '../config/issue.js';
import type { LoadResult } from '../config/load-config.js';
import { loadConfig } from '../config/load-config.js';
import { installCure, tracingFault } from '../observability/tracing/tracing-packages.js';
import type { ConsoleIo } from './console-io.js';
import { EXIT, paint } from './console-io.js';

export interface CheckOptions {
  readonly config?: string | undefined;
  readonly json?: boolean;
}

/**
 * `sip2wa check`: reads the configuration and says everything that is wrong with it, and which optional packages are not there that it
 * needs. Exit code 0, also with warnings, or 1 on errors.
 */
export function checkCommand(options: CheckOptions, io: ConsoleIo, packages = tracingFault): number {
  const result = loadConfig({ file: options.config, env: io.env, tracingFault: () => complaintOf(packages()) });
  return reportCheck(result, options.json === true, io);
}

const complaintOf = (fault: string | undefined): Complaint | undefined =>
  fault === undefined ? undefined : { message: `the daemon cannot start: ${fault}`, cure: installCure() };

/** Prints what came of reading the configuration, and returns the exit code of it. */
export function reportCheck(result: LoadResult, json: boolean, io: ConsoleIo): number {
  if (json) io.stdout(`${JSON.stringify(jsonReport(result), null, 2)}\n`);
  else printReport(result, io);
  return result.ok ? EXIT.ok : EXIT.failed;
}

function jsonReport(result: LoadResult): Record<string, unknown> {
  const counts = result.ok ? countsOf(result) : {};
  return {
    ok: result.ok,
    file: result.file,
    errors: result.ok ? [] : result.errors,
    warnings: result.warnings,
    ...counts,
  };
}

function countsOf(result: LoadResult & { ok: true }): Record<'numbers' | 'trunks' | 'routes', number> {
  const { numbers, trunks, routes } = result.config;
  return { numbers: numbers.length, trunks: trunks.length, routes: routes.length };
}

function printReport(result: LoadResult, io: ConsoleIo): void {
  printIssues(result, io);
  const notes = result.warnings.length > 0 ? `, ${plural(result.warnings.length, 'warning')}` : '';
  if (!result.ok) {
    io.stderr(`${result.file}: ${paint(io, 'red', plural(result.errors.length, 'error'))}${notes}\n`);
    return;
  }
  const { numbers, trunks, routes } = countsOf(result);
  const counts = [plural(numbers, 'number'), plural(trunks, 'trunk'), plural(routes, 'route')].join(', ');
  io.stdout(`${result.file}: ok: ${counts}${notes}\n`);
}

/** Prints every issue of a load, errors and warnings in the order of the file, to standard error. */
export function printIssues(result: LoadResult, io: ConsoleIo): void {
  const errors = result.ok ? [] : result.errors;
  const lines = [
    ...errors.map((issue) => ({ issue, text: formatIssue(issue) })),
    ...result.warnings.map((issue) => ({
      issue,
      text: formatIssue(issue, 'warning').replace('warning:', paint(io, 'yellow', 'warning:')),
    })),
  ];
  lines.sort((a, b) => place(a.issue) - place(b.issue));
  for (const { text } of lines) io.stderr(`${text}\n`);
}

function place(issue: ConfigIssue): number {
  return issue.line * 10_000 + issue.column;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
