import type { LogFields, Logger, LogLevel } from '../../src/lib/logger.js';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines; children write to the same list. */
export class RecordingLogger implements Logger {
  constructor(
    readonly lines: LogLine[] = [],
    private readonly bound: LogFields = {},
  ) {}

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields);
  }

  child(fields: LogFields): RecordingLogger {
    return new RecordingLogger(this.lines, { ...this.bound, ...fields });
  }

  /** Everything that was said, errors with their stacks and causes, as one text to search for secrets. */
  text(): string {
    return JSON.stringify(this.lines, (_, value: unknown) =>
      value instanceof Error
        ? {
            ...Object.fromEntries(Object.entries(value)),
            message: value.message,
            stack: value.stack,
            cause: value.cause,
          }
        : value,
    );
  }

  #add(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields: { ...this.bound, ...fields } });
  }
}
