import type { RemoteInfo } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { DatagramBatches } from '../../../src/lib/datagram-batches.js';
import { Departures } from '../../../src/media/departures.js';

const source: RemoteInfo = { address: '127.0.0.1', family: 'IPv4', port: 4000, size: 1 };

function scene(rest: { readonly afterNextTurn?: boolean } = {}) {
  const log: string[] = [];
  const deferred: (() => void)[] = [];
  const rested: number[] = [];
  const time = { ms: 0, idleMs: 0 };
  const block = (ms: number): void => {
    rested.push(ms);
    time.ms += ms;
  };
  const departures = new Departures();
  const batches = new DatagramBatches(
    {
      defer: (run) => deferred.push(run),
      nowMs: () => time.ms,
      idleMs: () => time.idleMs,
      rest: { block, busyPerMs: 2, beatMs: 0.5, ...rest },
    },
    () => departures.sendAll(),
  );
  const listener = (datagram: Buffer): void => {
    log.push(`takes ${datagram.toString()}`);
    const sendNow = (bytes: Buffer, port: number, address: string): boolean =>
      log.push(`sends ${bytes.toString()} to ${address}:${port}`) === 0;
    departures.add({ sendNow }, datagram, 9, 'b');
  };
  const arrive = (...texts: string[]): void =>
    texts.forEach((text) => batches.arrived(listener, Buffer.from(text), source));
  const turn = (): void => deferred.splice(0).forEach((run) => run());
  return { batches, departures, log, deferred, rested, time, arrive, turn };
}

describe('batches of datagrams', () => {
  it('are worked on together, in order, and sent when all are done', () => {
    const { arrive, turn, log, deferred } = scene();
    arrive('1', '2');
    expect([log, deferred.length]).toEqual([[], 1]);
    turn();
    expect(log).toEqual(['takes 1', 'takes 2', 'sends 1 to b:9', 'sends 2 to b:9']);
    arrive('3');
    turn();
    expect(log.slice(4)).toEqual(['takes 3', 'sends 3 to b:9']);
  });

  it('that are large send now and then, so that the first need not wait for the last', () => {
    const { arrive, turn, log } = scene();
    arrive(...Array.from({ length: 40 }, (_, i) => String(i)));
    turn();
    const sendsBefore = (text: string): number =>
      log.slice(0, log.indexOf(text)).filter((line) => line.startsWith('sends')).length;
    expect(['takes 15', 'takes 16', 'takes 31', 'takes 32', 'takes 39'].map(sendsBefore)).toEqual([0, 16, 16, 32, 32]);
    expect(log.filter((line) => line.startsWith('sends'))).toHaveLength(40);
  });

  it('tell how long what has arrived may have waited to be read: as long as the process did something else', () => {
    const { batches, arrive, turn, time } = scene();
    arrive('1');
    turn();
    Object.assign(time, { ms: 20, idleMs: 19.5 });
    arrive('2');
    turn();
    expect(batches.heldUpMs).toBe(0.5);
    Object.assign(time, { ms: 70, idleMs: 29.5 });
    arrive('3');
    turn();
    expect(batches.heldUpMs).toBe(40);
  });

  it('take in what arrives while they are worked on', () => {
    const { batches, turn, log, deferred } = scene();
    const again = (datagram: Buffer): void => {
      log.push(datagram.toString());
      if (datagram.toString() === 'first') batches.arrived(again, Buffer.from('second'), source);
    };
    batches.arrived(again, Buffer.from('first'), source);
    turn();
    expect([log, deferred]).toEqual([['first', 'second'], []]);
  });

  it('say whether one is under way', () => {
    const { batches, turn } = scene();
    const seen: boolean[] = [];
    batches.arrived(() => seen.push(batches.isUnderWay), Buffer.from('x'), source);
    seen.push(batches.isUnderWay);
    turn();
    expect([...seen, batches.isUnderWay]).toEqual([false, true, false]);
  });

  it('go on behind a listener that throws', () => {
    const { batches, arrive, turn, log } = scene();
    batches.arrived(
      () => {
        throw new Error('no');
      },
      Buffer.from('x'),
      source,
    );
    expect(turn).toThrow('no');
    expect(batches.isUnderWay).toBe(false);
    arrive('1');
    turn();
    expect(log).toEqual(['takes 1', 'sends 1 to b:9']);
  });

  /** A tenth of a second in which so many come at a time, 0.1 ms of work each time, and then `idleMs` nothing. */
  const tenth = ({ arrive, turn, time }: ReturnType<typeof scene>, count: number, idleMs: number): void => {
    for (const endMs = time.ms + 100; time.ms < endMs; time.ms += idleMs) {
      arrive(...Array.from({ length: count }, () => 'x'));
      time.ms += 0.1;
      turn();
    }
  };

  it('rest for what is left of half a millisecond, but only where two datagrams a millisecond come', () => {
    const it = scene();
    tenth(it, 1, 0.9);
    tenth(it, 1, 0.9);
    expect(it.rested).toEqual([]);
    tenth(it, 3, 0);
    tenth(it, 3, 0);
    expect(it.rested.length).toBeGreaterThan(150);
    for (const restMs of it.rested.slice(1)) expect(restMs).toBeCloseTo(0.4);
    tenth(it, 1, 0.9);
    tenth(it, 1, 0.9);
    it.rested.length = 0;
    tenth(it, 1, 0.9);
    expect(it.rested).toEqual([]);
  });

  it('do not rest behind as many as are read at a time: more may be waiting', () => {
    const it = scene();
    for (let i = 0; i < 5; i++) tenth(it, 32, 0);
    expect(it.rested).toEqual([]);
    tenth(it, 31, 0);
    expect(it.rested.length).toBeGreaterThan(100);
  });

  it('may rest behind what a batch has set going in the next turn, and what is read meanwhile waits for the rest', () => {
    const it = scene({ afterNextTurn: true });
    for (let i = 0; i < 5; i++) tenth(it, 3, 0);
    while (it.deferred.length > 0) it.turn();
    it.log.length = 0;
    it.rested.length = 0;
    it.arrive('1', '2');
    it.turn();
    it.deferred.unshift(() => it.log.push('an answer'));
    it.arrive('3');
    expect(it.rested).toEqual([]);
    it.turn();
    expect(it.log.filter((line) => !line.startsWith('sends'))).toEqual(['takes 1', 'takes 2', 'an answer']);
    expect(it.rested.length).toBe(1);
    it.arrive('4');
    it.turn();
    expect(it.log.filter((line) => !line.startsWith('sends')).slice(3)).toEqual(['takes 3', 'takes 4']);
  });

  it('do not rest when the work itself takes as long', () => {
    const { batches, rested, time, turn } = scene();
    for (let i = 0; i < 300; i++) {
      for (let k = 0; k < 10; k++) batches.arrived(() => (time.ms += 0.1), Buffer.from('x'), source);
      turn();
    }
    expect(rested).toEqual([]);
  });
});

describe('departures', () => {
  const sentBy = (departures: Departures, texts: readonly string[]): string[] => {
    const sent: string[] = [];
    const bytes = Buffer.alloc(2000);
    for (const text of texts) {
      bytes.write(text);
      const sendNow = (datagram: Buffer): boolean => sent.push(datagram.toString()) === 0;
      departures.add({ sendNow }, bytes.subarray(0, text.length), 1, 'a');
    }
    departures.sendAll();
    return sent;
  };

  it('are copies: whoever sends may use his memory again', () => {
    expect(sentBy(new Departures(), ['one', 'three', 'of'])).toEqual(['one', 'three', 'of']);
  });

  it('give up the memory of what the kernel had no room for: no other packet goes out in its place', () => {
    const departures = new Departures();
    const late: Buffer[] = [];
    const full = (datagram: Buffer): boolean => late.push(datagram) > 0;
    departures.add({ sendNow: full }, Buffer.from('of the first call'), 1, 'a');
    departures.sendAll();
    expect(sentBy(departures, ['of another call'])).toEqual(['of another call']);
    expect(late.map(String)).toEqual(['of the first call']);
  });

  it('go on behind a sender that throws, and send nothing twice', () => {
    const departures = new Departures();
    const broken = (): never => {
      throw new Error('no');
    };
    departures.add({ sendNow: broken }, Buffer.from('x'), 1, 'a');
    expect(() => departures.sendAll()).toThrow('no');
    expect(sentBy(departures, ['next'])).toEqual(['next']);
  });

  it('keep their order when there are more than places, and when one is longer than a place', () => {
    const departures = new Departures();
    const texts = Array.from({ length: 1300 }, (_, i) => (i === 700 ? 'x'.repeat(1800) : `n${i}`));
    expect(sentBy(departures, texts)).toEqual(texts);
    expect(sentBy(departures, ['again'])).toEqual(['again']);
  });
});
