import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const NAME = 'DRACHTIO_TPORT_MAX_CONSECUTIVE_TIMEOUTS';

/** Somebody to ask: nobody else may have this port. */
const socket = createSocket('udp4');
beforeAll(async () => {
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
});
afterAll(() => socket.close());

describe.concurrent('what a server hears that supervise.sh starts', () => {
  it.each([
    ['three unanswered requests in a row end a connection', undefined, '3'],
    ['what is set already', '7', '7'],
  ])('is %s', async (_what, set, heard) => {
    const { [NAME]: _unset, ...rest } = process.env;
    const env = { ...rest, ...(set === undefined ? {} : { [NAME]: set }) };
    const words = ['config/drachtio/supervise.sh', '127.0.0.1', String(socket.address().port)];
    const { stdout } = await run('bash', [...words, 'bash', '-c', `echo "$${NAME}"`], { env, timeout: 10_000 });
    expect(stdout.trim()).toBe(heard);
  });
});
