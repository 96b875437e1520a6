/** Facts of one log line. Values are JSON-able; an `err` is serialised with its code, message, stack and cause. */
export type LogFields = Record<string, unknown>;
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/**
 * Structured log: a short event-style message and fields, never interpolated numbers.
 * Handed down by constructor; a call's logger is `child({ call })`, a leg's `child({ leg })`.
 */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Which lines are wanted: those of a level, and of some calls those of a level of their own. */
export interface LogLevels {
  readonly level: LogLevel;
  readonly calls: Readonly<Record<string, LogLevel>>;
}

/** Says which lines are wanted to those who make lines elsewhere and would make too many. */
export interface LogLevelSource {
  /** Calls the listener now and at every change. */
  watchLevels(listener: (levels: LogLevels) => void): void;
}

/** Shows the lines of calls, as they were written, to those who keep them elsewhere. */
export interface CallLineSource {
  /** Calls the listener with each line from now on; it must not throw. */
  watchLines(listener: (call: string, line: string) => void): void;
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
};
