import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, systemClock } from '../../../src/lib/clock.js';
import { HEP_TYPE, hepPacket } from '../../../src/observability/hep/hep-packet.js';
import { HepSocket, type HepSocketOptions } from '../../../src/observability/hep/hep-socket.js';
import { HepReceiver } from '../../support/hep-reader.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const place = { address: '127.0.0.1', port: 5060 };
const packet = (text: string): Buffer => {
  const same = { type: HEP_TYPE.log, from: place, to: place, isTcp: false, atUs: 1e15, captureId: 1, password: '' };
  return hepPacket({ ...same, correlationId: 'c', payload: Buffer.from(text) }) ?? Buffer.alloc(0);
};

describe('the way to a HEP receiver', () => {
  let links: HepSocket[];
  let lost: { packets: number; error: unknown }[];
  beforeEach(() => ([links, lost] = [[], []]));
  afterEach(() => Promise.all(links.map((link) => link.close())));

  const open = (options: Partial<HepSocketOptions>): HepSocket => {
    const link = new HepSocket({
      ...{ host: '127.0.0.1', port: 1, clock: systemClock, dns: { addresses: (host) => Promise.resolve([host]) } },
      onLost: (packets, error) => lost.push({ packets, error }),
      ...options,
    });
    links.push(link);
    return link;
  };

  it('is there after a moment, and packets arrive as they were', async () => {
    const receiver = await HepReceiver.start();
    const link = open({ port: receiver.port });
    expect(link.hasRoom).toBe(false);
    await until(() => link.hasRoom, 'a way');
    expect(link.local).toMatchObject({ address: '127.0.0.1' });
    link.send(packet('one'));
    link.send(packet('two'));
    await link.close();
    const got = await receiver.have(2, () => true, 'packets');
    expect([got.map(({ payload }) => payload), lost]).toEqual([['one', 'two'], []]);
    receiver.close();
  });

  it('a receiver that is not there harms nothing: it is counted, and what comes later arrives', async () => {
    const port = await freePort();
    const link = open({ port });
    await until(() => link.hasRoom, 'a way');
    await until(() => {
      link.send(packet('to nobody'));
      return lost.length >= 3;
    }, 'ICMP');
    expect(lost.every(({ packets, error }) => packets === 1 && String(error).includes('ECONNREFUSED'))).toBe(true);
    const receiver = await HepReceiver.start(port);
    await until(() => {
      link.send(packet('to somebody'));
      return receiver.packets.length > 0;
    }, 'a packet');
    receiver.close();
  });

  it('a name that cannot be looked up is tried again', async () => {
    const receiver = await HepReceiver.start();
    const clock = new FakeClock();
    const answers: (() => Promise<string[]>)[] = [
      () => Promise.reject(new Error('ENOTFOUND')),
      () => Promise.resolve([]),
      () => Promise.resolve(['127.0.0.1']),
    ];
    const link = open({
      ...{ host: 'homer.test', port: receiver.port, clock },
      dns: { addresses: () => answers.shift()?.() ?? Promise.reject(new Error('asked too often')) },
    });
    await until(() => lost.length === 1, 'a first failure');
    link.send(packet('too early'));
    expect(lost).toHaveLength(2);
    clock.advance(5_000);
    await until(() => lost.length === 3, 'a second failure');
    clock.advance(5_000);
    await until(() => link.hasRoom, 'a way');
    expect(lost.map(({ packets }) => packets)).toEqual([0, 1, 0]);
    link.send(packet('in time'));
    expect((await receiver.have(1, () => true, 'packets'))[0]?.payload).toBe('in time');
    receiver.close();
  });

  it('a name is looked up again after an error, when its receiver may have moved', async () => {
    const receiver = await HepReceiver.start();
    const clock = new FakeClock();
    let asked = 0;
    // as if the name led to another machine now: 127.0.0.2 has nobody on that port
    const dns = { addresses: () => Promise.resolve([asked++ === 0 ? '127.0.0.2' : '127.0.0.1']) };
    const link = open({ host: 'homer.test', port: receiver.port, clock, dns });
    await until(() => link.hasRoom, 'a way');
    await until(() => {
      if (lost.length === 0) link.send(packet('to nobody'));
      return lost.length > 0;
    }, 'ICMP');
    expect(asked).toBe(1);
    clock.advance(60_000);
    await until(() => {
      if (link.hasRoom) link.send(packet('moved'));
      return receiver.packets.length > 0;
    }, 'a packet at the new place');
    expect(asked).toBe(2);
    receiver.close();
  });
});
