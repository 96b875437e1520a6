import type { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/observability/logger.js';
import { settled } from '../../support/eventually.js';
import { Lines } from '../../support/lines.js';

/**
 * Fails as long as `failure` is set, in the way of Node's standard error: the callback, then an `error` event, at every
 * write anew. (Another stream would be destroyed by its first error.)
 */
class FailingPipe extends Lines {
  failure: Error | undefined = errno('EPIPE');

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    const done = rest.at(-1) as (error?: Error | null) => void;
    const { failure } = this;
    if (!failure) return super.write(chunk, done);
    process.nextTick(() => {
      done(failure);
      this.emit('error', failure);
    });
    return false;
  }
}

/** Throws from within `write`. */
class ThrowingStream extends Lines {
  override write(): boolean {
    throw errno('ENOSPC');
  }
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`write ${code}`), { code });
}

const logTo = (stream: Writable) => createLogger({ level: 'info', format: 'json', stream });

describe('a log stream that fails', () => {
  it('costs the lines and is no unhandled error: a pipe without a reader', async () => {
    const log = logTo(new FailingPipe());
    for (let line = 0; line < 3; line++) log.info('lost', { line });
    await settled();
    expect(log.lostLines()).toBe(3);
  });

  it('costs the lines and does not throw: a stream that does', async () => {
    const log = logTo(new ThrowingStream());
    expect(() => log.child({ call: '01ABC' }).error('lost')).not.toThrow();
    log.info('lost');
    await settled();
    expect(log.lostLines()).toBe(2);
  });

  it('costs the lines: a stream that is destroyed', async () => {
    const stream = new Lines();
    const log = logTo(stream);
    log.info('kept');
    stream.destroy(errno('EIO'));
    await settled();
    log.info('lost');
    log.info('lost');
    await settled();
    expect(stream.records).toMatchObject([{ msg: 'kept' }]);
    expect(log.lostLines()).toBe(2);
  });

  it('says how many lines were lost, once it takes lines again', async () => {
    const pipe = new FailingPipe();
    const log = logTo(pipe);
    log.info('lost');
    log.info('lost');
    await settled();
    pipe.failure = undefined;
    log.info('seen');
    await settled();
    log.info('seen too');
    await settled();
    expect(pipe.records.map(({ level, msg, lines }) => [level, msg, lines])).toEqual([
      ['info', 'seen', undefined],
      ['warn', 'log lines lost', 2],
      ['info', 'seen too', undefined],
    ]);
    expect(log.lostLines()).toBe(2);
  });

  it('has one listener however many loggers write to it', () => {
    const pipe = new FailingPipe();
    for (let logger = 0; logger < 20; logger++) logTo(pipe);
    expect(pipe.listenerCount('error')).toBe(1);
  });
});
