import type { LogFields, Logger, LogLevel, LogLevels } from '../../lib/logger.js';
import type { FromWorker } from './worker-messages.js';

const severity: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
const maxDepth = 5;
const maxItems = 50;
const maxText = 8000;

/** More lines between two reports are dropped and counted: what floods the log must not flood signalling. */
const maxLines = 200;

/** What all loggers of one worker have in common. */
export class WorkerLog {
  levels: LogLevels = { level: 'info', calls: {} };
  #lines = 0;
  #lost = 0;

  constructor(private readonly post: (message: FromWorker) => void) {}

  /** Lines dropped so far. */
  get lost(): number {
    return this.#lost;
  }

  /** A report was made: lines count anew. */
  reported(): void {
    this.#lines = 0;
  }

  logger(bound: LogFields = {}): Logger {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void =>
        this.#write(level, message, bound, fields);
    return {
      ...{ error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') },
      child: (fields) => this.logger({ ...bound, ...fields }),
    };
  }

  #write(level: LogLevel, message: string, bound: LogFields, fields: LogFields): void {
    const call = fields['call'] ?? bound['call'];
    const own = typeof call === 'string' ? this.levels.calls[call] : undefined;
    if (severity[level] > severity[own ?? this.levels.level]) return;
    if (++this.#lines > maxLines) this.#lost++;
    else
      this.post({
        type: 'log',
        level,
        message: message.slice(0, maxText),
        fields: plainFields({ ...bound, ...fields }),
      });
  }
}

/** A copy that can be posted, whatever stands in it, and is of bounded size. */
export function plainFields(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value, 0)]));
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, maxText);
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= maxDepth) return '[deeper]';
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Date) return new Date(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, maxItems).map((item: unknown) => plain(item, depth + 1));
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);
  return Object.fromEntries(entries.slice(0, maxItems).map(([key, item]) => [String(key), plain(item, depth + 1)]));
}

/** As the log shows an error: a copy of one would lose its code. */
function plainError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as NodeJS.ErrnoException;
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message.slice(0, maxText),
    ...(error.stack === undefined ? {} : { stack: error.stack.slice(0, maxText) }),
    ...(error.cause === undefined ? {} : { cause: plain(error.cause, depth + 1) }),
  };
}
