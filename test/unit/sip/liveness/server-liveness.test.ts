import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { systemIds } from '../../../../src/lib/ids.js';
import { ServerLiveness, socketsOf } from '../../../../src/sip/liveness/server-liveness.js';
import type { SipSocket } from '../../../../src/sip/liveness/options-ping.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

/** A server that answers what the test says, asked over and over. */
function watched() {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const asked: { to: SipSocket; callId: string }[] = [];
  let isAlive = true;
  const ping = (to: SipSocket, callId: string): Promise<void> => {
    asked.push({ to, callId });
    return isAlive ? Promise.resolve() : Promise.reject(new Error('silence'));
  };
  const liveness = new ServerLiveness({ ping, clock, logger, ids: systemIds });
  const rounds = async (count: number, alive: boolean): Promise<void> => {
    isAlive = alive;
    for (let round = 0; round < count; round++) {
      clock.advance(2_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { liveness, asked, logger, rounds, clock };
}

const hostPorts = 'tcp/127.0.0.1:5060,udp/127.0.0.1:5070';

describe('a SIP server of its own process', () => {
  it('is wedged after three questions without an answer, and well again with the next answer', async () => {
    const { liveness, rounds, logger } = watched();
    liveness.start(hostPorts);
    await rounds(1, true);
    await rounds(2, false);
    expect(liveness.isWedged).toBe(false);
    await rounds(1, false);
    expect(liveness.isWedged).toBe(true);
    await rounds(3, false);
    await rounds(1, true);
    expect(liveness.isWedged).toBe(false);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'SIP server answers',
      'SIP server answers nobody: restart it',
      'SIP server answers again',
    ]);
  });

  it('that has never answered is not called wedged: a packet filter may keep us from its port', async () => {
    const { liveness, rounds } = watched();
    liveness.start(hostPorts);
    await rounds(10, false);
    expect(liveness.isWedged).toBe(false);
  });

  it('is asked over UDP where it listens, with Call-IDs that are known for ours', async () => {
    const { liveness, rounds, asked } = watched();
    liveness.start(hostPorts);
    await rounds(2, true);
    expect(asked.map(({ to }) => to)).toEqual(Array(2).fill({ transport: 'udp', host: '127.0.0.1', port: 5070 }));
    expect(asked.every(({ callId }) => liveness.isOwn(callId))).toBe(true);
    expect(asked[0]?.callId).not.toBe(asked[1]?.callId);
    expect(liveness.isOwn('1-4010@127.0.0.1')).toBe(false);
    expect(liveness.isOwn('')).toBe(false);
  });

  it('is forgotten while the link is down, and begins anew when it is back', async () => {
    const { liveness, rounds, asked, clock } = watched();
    liveness.start(hostPorts);
    await rounds(1, true);
    await rounds(3, false);
    liveness.stop();
    expect([liveness.isWedged, clock.armed]).toEqual([false, 0]);
    liveness.start(hostPorts);
    expect(liveness.isWedged).toBe(false);
    await rounds(3, false);
    expect(liveness.isWedged).toBe(false);
    expect(asked).toHaveLength(7);
    expect(clock.armed).toBe(1);
  });

  it('without a socket that can be asked is left alone', async () => {
    const { liveness, rounds, asked, clock } = watched();
    liveness.start('tls/127.0.0.1:5061');
    await rounds(3, true);
    expect([asked.length, liveness.isWedged, clock.armed]).toEqual([0, false, 0]);
  });
});

describe('the sockets a drachtio-server names', () => {
  it.each([
    ['', []],
    ['tls/10.0.0.5:5061,wss/10.0.0.5:8443', []],
    ['udp/[::1]:5060', [{ transport: 'udp', host: '::1', port: 5060 }]],
    [
      'tcp/10.0.0.5:5062,UDP/pbx.example.com:5060',
      [
        { transport: 'udp', host: 'pbx.example.com', port: 5060 },
        { transport: 'tcp', host: '10.0.0.5', port: 5062 },
      ],
    ],
  ])('%j', (text, expected) => {
    expect(socketsOf(text)).toEqual(expected);
  });
});
