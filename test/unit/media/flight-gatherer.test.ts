import { beforeEach, describe, expect, it } from 'vitest';
import { FlightGatherer } from '../../../src/media/flight-gatherer.js';

describe('records of a DTLS flight', () => {
  let sent: { readonly bytes: number[]; readonly to: string }[];
  let gatherer: FlightGatherer;
  const peer = ['192.0.2.1', 3478] as const;
  const tick = () => new Promise<void>((resolve) => process.nextTick(resolve));
  const record = (length: number) => Buffer.alloc(length, length);
  beforeEach(() => {
    sent = [];
    gatherer = new FlightGatherer((datagram, [address, port]) =>
      sent.push({ bytes: [...new Set(datagram)], to: `${datagram.length} to ${address}:${port}` }),
    );
  });

  it('leave in one datagram, in their order, as soon as the stack is done', async () => {
    for (const length of [200, 58, 100, 61]) gatherer.add(record(length), peer);
    expect(sent).toEqual([]);
    await tick();
    expect(sent).toEqual([{ bytes: [200, 58, 100, 61], to: '419 to 192.0.2.1:3478' }]);
    await tick();
    expect(sent).toHaveLength(1);
  });

  it('leave in several when they are too long together', async () => {
    for (let i = 0; i < 3; i++) gatherer.add(record(600), peer);
    await tick();
    expect(sent.map(({ to }) => to)).toEqual(['1200 to 192.0.2.1:3478', '600 to 192.0.2.1:3478']);
  });

  it('are not mixed with those for somebody else', async () => {
    gatherer.add(record(10), peer);
    gatherer.add(record(20), ['192.0.2.2', 3478]);
    gatherer.add(record(30), ['192.0.2.2', 3479]);
    await tick();
    expect(sent.map(({ to }) => to)).toEqual(['10 to 192.0.2.1:3478', '20 to 192.0.2.2:3478', '30 to 192.0.2.2:3479']);
  });

  it('of the next flight leave with that one', async () => {
    gatherer.add(record(10), peer);
    await tick();
    gatherer.add(record(20), peer);
    await tick();
    expect(sent.map(({ to }) => to)).toEqual(['10 to 192.0.2.1:3478', '20 to 192.0.2.1:3478']);
  });
});
