import type { LogFields, Logger, LogLevel } from '../lib/logger.js';

const KEPT = 40;
const FIELD_CAP = 300;

function lineOf(level: LogLevel, message: string, fields: LogFields): string {
  const { err, ...rest } = fields;
  const cause = err instanceof Error ? ` ${err.message}` : '';
  return `  ${level}: ${message}${cause} ${JSON.stringify(rest).slice(0, FIELD_CAP)}`;
}

/** Keeps the daemon's warnings and errors, to be shown only if the demo fails. */
export class DemoLog {
  readonly #lines: string[] = [];

  logger(context: LogFields = {}): Logger {
    const keep =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void => {
        this.#lines.push(lineOf(level, message, { ...context, ...fields }));
        if (this.#lines.length > KEPT) this.#lines.shift();
      };
    return {
      error: keep('error'),
      warn: keep('warn'),
      info: () => undefined,
      debug: () => undefined,
      child: (fields) => this.logger({ ...context, ...fields }),
    };
  }

  /** The last warnings and errors, or the empty string. */
  troubles(): string {
    return this.#lines.length === 0 ? '' : `what the bridge logged:\n${this.#lines.join('\n')}\n`;
  }
}
