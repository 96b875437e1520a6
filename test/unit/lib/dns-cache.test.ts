import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { cachedDns } from '../../../src/lib/dns-cache.js';
import { settled } from '../../support/eventually.js';

function scene(answer: (host: string) => Promise<readonly string[]>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const none = (): Promise<readonly never[]> => Promise.resolve([]);
  const addresses = (host: string): Promise<readonly string[]> => {
    asked.push(host);
    return answer(host);
  };
  const dns = cachedDns({ addresses, srv: none, naptr: none }, { clock, deadlineMs: 100 });
  const ask = (host: string): Promise<string> =>
    dns.addresses(host).then(
      (list) => list.join(),
      (err: unknown) => (err as Error).message,
    );
  return { clock, asked, ask };
}

it('remembers an answer for 30 s, and that there was none for 5 s', async () => {
  const { clock, asked, ask } = scene((host) =>
    host === 'a.test' ? Promise.resolve(['10.0.0.1']) : Promise.reject(new Error('gone')),
  );
  expect(await Promise.all([ask('a.test'), ask('A.test'), ask('b.test'), ask('b.test')])).toEqual([
    ...['10.0.0.1', '10.0.0.1', 'gone', 'gone'],
  ]);
  clock.advance(4_999);
  await Promise.all([ask('a.test'), ask('b.test')]);
  expect(asked).toEqual(['a.test', 'b.test']);
  clock.advance(1);
  await ask('b.test');
  clock.advance(24_999);
  await ask('a.test');
  expect(asked).toEqual(['a.test', 'b.test', 'b.test']);
  clock.advance(1);
  await ask('a.test');
  expect(asked).toHaveLength(4);
  expect(clock.armed).toBe(0);
});

it('waits for a name that hangs once, and leaves room for others', async () => {
  const { clock, asked, ask } = scene((host) =>
    host === 'ok.test' ? Promise.resolve(['::1']) : new Promise(() => undefined),
  );
  const hanging = ask('dead.test');
  expect(await ask('ok.test')).toBe('::1');
  clock.advance(100);
  expect(await hanging).toBe('address dead.test took longer than 100 ms');
  expect(await ask('dead.test')).toBe('address dead.test took longer than 100 ms');
  expect(asked).toEqual(['dead.test', 'ok.test']);
});

it('asks no more than 64 questions at a time: the rest fails at once', async () => {
  const { asked, ask } = scene(() => new Promise(() => undefined));
  for (let i = 0; i < 64; i++) void ask(`n${i}.test`);
  expect(await ask('one-too-many.test')).toBe('too many DNS questions are open');
  expect(asked).toHaveLength(64);
});

it('remembers no more than a thousand names', async () => {
  const { asked, ask } = scene(() => Promise.resolve(['10.0.0.1']));
  for (let i = 0; i <= 1_000; i++) await ask(`n${i}.test`);
  await settled();
  await ask('n1000.test');
  expect(asked).toHaveLength(1_001);
  await ask('n0.test');
  expect(asked).toHaveLength(1_002);
});
