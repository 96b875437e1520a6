import { describe, expect, it } from 'vitest';
import { plainFields, WorkerLog } from '../../../../src/media/workers/worker-log.js';
import type { FromWorker } from '../../../../src/media/workers/worker-messages.js';

function recorded(): { log: WorkerLog; lines: string[] } {
  const lines: string[] = [];
  const log = new WorkerLog((message: FromWorker) => {
    if (message.type === 'log') lines.push(`${message.level} ${message.message} ${JSON.stringify(message.fields)}`);
  });
  return { log, lines };
}

describe('the log of a worker', () => {
  it('sends what its levels want, of a call what that call wants', () => {
    const { log, lines } = recorded();
    log.levels = { level: 'warn', calls: { c1: 'debug' } };
    const leg = log.logger({ room: 'media' }).child({ call: 'c1' });
    leg.debug('a', { x: 1 });
    log.logger().info('b', { call: 'c1' });
    log.logger({ call: 'c2' }).info('c');
    log.logger().warn('d');
    log.logger().error('e');
    log.levels = { level: 'info', calls: {} };
    leg.debug('f');
    log.logger().info('g');
    expect(lines).toEqual([
      'debug a {"room":"media","call":"c1","x":1}',
      'info b {"call":"c1"}',
      'warn d {}',
      'error e {}',
      'info g {}',
    ]);
  });

  it('drops what comes too fast, and counts it', () => {
    const { log, lines } = recorded();
    const logger = log.logger();
    for (let i = 0; i < 250; i++) logger.info('line');
    expect([lines.length, log.lost]).toEqual([200, 50]);
    log.reported();
    logger.info('line');
    expect([lines.length, log.lost]).toEqual([201, 50]);
  });

  it('makes fields that cross a process boundary, errors with code and cause', () => {
    const cause = Object.assign(new Error('port taken'), { code: 'EADDRINUSE' });
    const loop: Record<string, unknown> = { bytes: Buffer.alloc(3), call: () => undefined, many: Array(99).fill(1) };
    loop['self'] = loop;
    const fields = plainFields({
      err: new Error('no media', { cause }),
      loop,
      text: 'x'.repeat(20_000),
      none: undefined,
    });
    expect(structuredClone(fields)).toEqual(fields);
    expect(fields['err']).toMatchObject({
      name: 'Error',
      message: 'no media',
      cause: { code: 'EADDRINUSE', message: 'port taken' },
    });
    expect(fields['loop']).toMatchObject({ bytes: '[3 bytes]', call: '[function]' });
    expect((fields['loop'] as { many: unknown[] }).many).toHaveLength(50);
    expect(fields['text']).toHaveLength(8000);
  });
});
