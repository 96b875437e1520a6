import winston from 'winston';
import type { CallLineSource, LogFields, Logger, LogLevel, LogLevels, LogLevelSource } from '../lib/logger.js';
import { LossyStream } from './lossy-stream.js';
import { Redaction } from './redaction.js';

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
/** The facts of a line that a caller's fields must not overwrite. */
const OWN_FIELDS = new Set(['time', 'level', 'msg']);

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  /** Where lines go; default: standard error, so that standard output stays free for data. */
  readonly stream?: NodeJS.WritableStream;
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/** The root logger, with what an operator may change while it runs. */
export interface RootLogger extends Logger, LogLevelSource, CallLineSource {
  /** Values that must never appear in a line from now on; children included. */
  redact(values: readonly string[]): void;
  setLevel(level: LogLevel): void;
  /** A level for one call's lines alone; `undefined` takes it away again. */
  setCallLevel(call: string, level: LogLevel | undefined): void;
  /** Lines that the stream did not take: the disk was full, or nobody read the pipe any more. */
  lostLines(): number;
}

interface Shared {
  readonly sink: winston.Logger;
  readonly redaction: Redaction;
  readonly format: LoggerOptions['format'];
  readonly now: () => number;
  readonly callLevels: Map<string, LogLevel>;
  readonly levelWatchers: ((levels: LogLevels) => void)[];
  readonly lineWatchers: ((call: string, line: string) => void)[];
  level: LogLevel;
}

/**
 * A logger on winston. Levels are compared here, not in winston, whose children cannot have a level of their own;
 * lines are made here too, so that nothing reaches a transport that was not redacted and escaped. A stream that fails
 * costs lines and nothing else: calls go on without their log.
 */
export function createLogger(options: LoggerOptions): RootLogger {
  const stream = new LossyStream(options.stream ?? process.stderr, (lines) => root.warn('log lines lost', { lines }));
  const shared: Shared = {
    sink: createSink(stream),
    redaction: new Redaction(),
    format: options.format,
    now: options.now ?? Date.now,
    callLevels: new Map(),
    levelWatchers: [],
    lineWatchers: [],
    level: options.level,
  };
  const root = new WinstonLogger(shared, {});
  return Object.assign(root, {
    redact: (values: readonly string[]) => shared.redaction.add(values),
    setLevel: (level: LogLevel) => {
      shared.level = level;
      for (const watcher of shared.levelWatchers) watcher(levelsOf(shared));
    },
    setCallLevel: (call: string, level: LogLevel | undefined) => {
      if (level === undefined) shared.callLevels.delete(call);
      else shared.callLevels.set(call, level);
      for (const watcher of shared.levelWatchers) watcher(levelsOf(shared));
    },
    watchLevels: (watcher: (levels: LogLevels) => void) => {
      shared.levelWatchers.push(watcher);
      watcher(levelsOf(shared));
    },
    watchLines: (watcher: (call: string, line: string) => void) => void shared.lineWatchers.push(watcher),
    lostLines: () => stream.lost,
  });
}

const levelsOf = ({ level, callLevels }: Shared): LogLevels => ({ level, calls: Object.fromEntries(callLevels) });

function createSink(stream: LossyStream): winston.Logger {
  const sink = winston.createLogger({ levels: SEVERITY, level: 'debug', transports: streamTransport(stream) });
  // winston hands on what its transports emit; nothing of it is worth a process
  sink.on('error', () => undefined);
  return sink;
}

/** Writes the message, which is the whole line already. */
function streamTransport(stream: NodeJS.WritableStream): winston.transport {
  const format = winston.format.printf((info) => String(info.message));
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston declares its transports as interfaces with a construct signature
  return new winston.transports.Stream({ stream, format });
}

class WinstonLogger implements Logger {
  constructor(
    private readonly shared: Shared,
    private readonly bound: LogFields,
  ) {}

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields);
  }

  child(fields: LogFields): Logger {
    return new WinstonLogger(this.shared, { ...this.bound, ...fields });
  }

  #write(level: LogLevel, message: string, fields: LogFields = {}): void {
    const all = merge(this.bound, fields);
    if (SEVERITY[level] > SEVERITY[this.#levelFor(all['call'])]) return;
    const line = this.#line(level, message, all);
    this.shared.sink.log({ level, message: line });
    const { call } = all;
    if (typeof call === 'string') for (const watcher of this.shared.lineWatchers) watcher(call, line);
  }

  #levelFor(call: unknown): LogLevel {
    const own = typeof call === 'string' ? this.shared.callLevels.get(call) : undefined;
    return own ?? this.shared.level;
  }

  /** A log line never throws into a call: what cannot be read is said to be so. */
  #line(level: LogLevel, message: string, fields: LogFields): string {
    const { redaction, format, now } = this.shared;
    const time = new Date(now()).toISOString();
    const msg = redaction.text(message);
    let clean: Record<string, unknown>;
    try {
      clean = redaction.value(fields) as Record<string, unknown>;
    } catch {
      clean = { unreadable: true };
    }
    return format === 'json' ? jsonLine(time, level, msg, clean) : prettyLine(time, level, msg, clean);
  }
}

/** Reading a field may run foreign code, which may throw. */
function merge(bound: LogFields, fields: LogFields): LogFields {
  try {
    return { ...bound, ...fields };
  } catch {
    return { ...bound, unreadable: true };
  }
}

function jsonLine(time: string, level: LogLevel, msg: string, fields: Record<string, unknown>): string {
  const rest = Object.entries(fields).map(([key, value]) => [OWN_FIELDS.has(key) ? `field_${key}` : key, value]);
  return escapeLineBreaks(JSON.stringify({ time, level, msg, ...(Object.fromEntries(rest) as object) }));
}

function prettyLine(time: string, level: LogLevel, msg: string, fields: Record<string, unknown>): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        `${plain(key)}=${typeof value === 'string' && /^[\w.:+/@…-]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  return escapeLineBreaks([time.slice(11, 23), level.toUpperCase().padEnd(5), plain(msg), ...pairs].join(' '));
}

function plain(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** JSON leaves DEL, C1 controls and the Unicode line separators as they are; terminals and readers may break lines at them. */
function escapeLineBreaks(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
