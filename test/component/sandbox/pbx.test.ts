import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/lib/deadline.js';
import { judge, makeProgramme } from '../../../src/sandbox/audio/programme.js';
import { Pbx } from '../../../src/sandbox/pbx/pbx.js';
import type { PbxOptions } from '../../../src/sandbox/pbx/pbx.js';
import { header } from '../../../src/sandbox/pbx/sip-message.js';
import { SipTransport } from '../../../src/sandbox/pbx/sip-transport.js';

const SOON_MS = 8000;
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function pbx(options?: PbxOptions): Promise<Pbx> {
  const started = await Pbx.start(options);
  stops.push(() => started.stop());
  return started;
}

const methods = (of: Pbx, direction: 'in' | 'out') =>
  of.transport.log
    .filter((entry) => entry.direction === direction)
    .map(({ message }) => message.method ?? message.status);

describe('sandbox PBX, one against another', () => {
  it.each([
    ['PCMA', ['PCMA']],
    ['PCMU', ['PCMU']],
  ] as const)('%s call: rings, answers, carries audio both ways, is hung up', async (_, codecs) => {
    const [caller, callee] = [await pbx({ codecs }), await pbx({ onInvite: () => ({ do: 'answer', afterMs: 50 }) })];
    const out = await caller.call({ to: callee.address, user: '100' });
    const incoming = await callee.nextCall(SOON_MS);
    await withDeadline(Promise.all([out.ringing, out.answered, incoming.answered]), SOON_MS, 'answer');
    const up = makeProgramme({ rateHz: 8000, toneHz: 620, toneMs: 1000, leadMs: 100, withSpeech: false });
    const down = makeProgramme({ rateHz: 8000, toneHz: 840, toneMs: 1000, leadMs: 100, withSpeech: false });
    const [upAt, downAt] = [out.play(up.pcm), incoming.play(down.pcm)];
    await withDeadline(Promise.all([upAt.finished, downAt.finished]), SOON_MS, 'playing');
    await withDeadline(Promise.all([out.rtp.hear(100), incoming.rtp.hear(100)]), SOON_MS, 'tail');
    for (const [heard, hz] of [
      [judge(incoming.heard(), up, await upAt.started), 620],
      [judge(out.heard(), down, await downAt.started), 840],
    ] as const) {
      expect(Math.abs(heard.toneHz! - hz)).toBeLessThan(1);
      expect(heard.levelDb).toBeCloseTo(-9.1, 0);
      expect(heard.loss).toBe(0);
      expect(heard.delayMs!).toBeGreaterThan(-1);
      expect(heard.delayMs!).toBeLessThan(100);
    }
    expect([out.rtp.sources.size, incoming.rtp.sources.size]).toEqual([1, 1]);
    out.hangup();
    expect(await withDeadline(incoming.ended, SOON_MS, 'end')).toMatchObject({ by: 'peer', status: undefined });
    expect(methods(callee, 'in')).toEqual(['INVITE', 'ACK', 'BYE']);
  });

  it('the callee may hang up as well', async () => {
    const [caller, callee] = [await pbx(), await pbx()];
    const out = await caller.call({ to: callee.address, user: '100' });
    const incoming = await callee.nextCall(SOON_MS);
    await withDeadline(out.answered, SOON_MS, 'answer');
    incoming.hangup();
    expect(await withDeadline(out.ended, SOON_MS, 'end')).toMatchObject({ by: 'peer' });
  });

  it.each([
    [486, 'Busy Here'],
    [603, 'Decline'],
  ])('refuses with %i and gets its ACK', async (status, reason) => {
    const [caller, callee] = [await pbx(), await pbx({ onInvite: () => ({ do: 'refuse', status, reason }) })];
    const out = await caller.call({ to: callee.address, user: '100' });
    expect(await withDeadline(out.ended, SOON_MS, 'end')).toMatchObject({ by: 'peer', status });
    const incoming = await callee.nextCall(SOON_MS);
    expect(await incoming.ended).toMatchObject({ by: 'pbx', status });
    await expect.poll(() => methods(callee, 'in'), { timeout: SOON_MS }).toEqual(['INVITE', 'ACK']);
  });

  it('a caller who gives up while it rings: CANCEL, 487', async () => {
    const [caller, callee] = [await pbx(), await pbx({ onInvite: () => ({ do: 'ring' }) })];
    const out = await caller.call({ to: callee.address, user: '100' });
    await withDeadline(out.ringing, SOON_MS, 'ringing');
    out.hangup();
    expect(await withDeadline(out.ended, SOON_MS, 'end')).toMatchObject({ by: 'pbx', status: 487 });
    expect(await (await callee.nextCall(SOON_MS)).ended).toMatchObject({ by: 'peer', status: 487 });
  });

  it('a silent callee makes the caller repeat its INVITE', async () => {
    const [caller, callee] = [await pbx(), await pbx({ onInvite: () => ({ do: 'silent' }) })];
    await caller.call({ to: callee.address, user: '100' });
    await expect.poll(() => methods(callee, 'in'), { timeout: SOON_MS }).toEqual(['INVITE', 'INVITE', 'INVITE']);
    expect(methods(callee, 'out')).toEqual([]);
  });

  it('an offer without a codec of ours: 488', async () => {
    const [caller, callee] = [await pbx({ codecs: ['PCMU'] }), await pbx({ codecs: ['PCMA'] })];
    const out = await caller.call({ to: callee.address, user: '100' });
    expect(await withDeadline(out.ended, SOON_MS, 'end')).toMatchObject({ status: 488 });
  });

  it('an INVITE without SDP is offered to, and the answer taken from the ACK', async () => {
    const [caller, callee] = [await pbx(), await pbx()];
    const out = await caller.call({ to: callee.address, user: '100', sdp: '' });
    const incoming = await callee.nextCall(SOON_MS);
    await withDeadline(Promise.all([out.answered, incoming.answered]), SOON_MS, 'answer');
    await withDeadline(Promise.all([out.rtp.hear(0), incoming.rtp.hear(0)]), SOON_MS, 'audio');
  });

  it('echoes what it hears', async () => {
    const [caller, callee] = [await pbx(), await pbx({ echo: true })];
    const out = await caller.call({ to: callee.address, user: '100' });
    await withDeadline(out.answered, SOON_MS, 'answer');
    const sound = makeProgramme({ rateHz: 8000, toneHz: 700, toneMs: 600, leadMs: 100, withSpeech: false });
    const played = out.play(sound.pcm);
    await withDeadline(played.finished, SOON_MS, 'playing');
    await withDeadline(out.rtp.hear(300), SOON_MS, 'tail');
    const heard = judge(out.heard(), sound, await played.started);
    expect(Math.abs(heard.toneHz! - 700)).toBeLessThan(1);
    expect(heard.delayMs!).toBeLessThan(300);
  });

  it('a lost ACK: the 200 is repeated until it comes; a lost 200: the repeated INVITE gets it again', async () => {
    const callee = await pbx();
    const caller = await SipTransport.bind();
    stops.push(() => caller.close());
    const to = `sip:100@127.0.0.1:${callee.address.port}`;
    const fields = [
      ['From', '<sip:a@127.0.0.1>;tag=x'],
      ['To', `<${to}>`],
      ['Call-ID', 'lost-ack'],
      ['CSeq', '1 INVITE'],
      ['Contact', `<sip:a@127.0.0.1:${caller.address.port}>`],
    ] as const;
    const oks: string[] = [];
    const body = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n';
    caller.request('INVITE', to, fields, { destination: callee.address, body }, (response) => {
      if (response?.status === 200) oks.push(header(response, 'to'));
    });
    await expect.poll(() => oks.length, { timeout: SOON_MS }).toBe(2);
    caller.sendOnce(
      'ACK',
      to,
      fields.map(([k, v]) => (k === 'CSeq' ? [k, '1 ACK'] : [k, v]) as [string, string]),
      callee.address,
    );
    await expect.poll(() => methods(callee, 'in').includes('ACK'), { timeout: SOON_MS }).toBe(true);
    const before = oks.length;
    const invite = caller.log.find(({ message }) => message.method === 'INVITE')!.message;
    const again = createSocket('udp4');
    stops.push(() => new Promise((resolve) => again.close(() => resolve())));
    const lines = [`INVITE ${to} SIP/2.0`, ...invite.headers.map(([k, v]) => `${k}: ${v}`), '', body];
    again.send(lines.join('\r\n'), callee.address.port, '127.0.0.1');
    await expect.poll(() => oks.length, { timeout: SOON_MS }).toBe(before + 1);
    expect(new Set(oks).size).toBe(1);
  });

  it('answers OPTIONS, and 481 to a BYE that belongs nowhere', async () => {
    const [one, other] = [await pbx(), await SipTransport.bind()];
    stops.push(() => other.close());
    const ask = (method: string) =>
      new Promise<number | undefined>((resolve) => {
        const fields = [
          ['From', '<sip:a@127.0.0.1>;tag=1'],
          ['To', '<sip:b@127.0.0.1>'],
          ['Call-ID', `ask-${method}`],
          ['CSeq', `1 ${method}`],
        ] as const;
        other.request(method, 'sip:b@127.0.0.1', fields, { destination: one.address }, (response) =>
          resolve(response?.status),
        );
      });
    expect(await withDeadline(ask('OPTIONS'), SOON_MS, 'OPTIONS')).toBe(200);
    expect(await withDeadline(ask('BYE'), SOON_MS, 'BYE')).toBe(481);
  });

  it('binds and reaches loopback only', async () => {
    await expect(SipTransport.bind('0.0.0.0')).rejects.toThrow(RangeError);
    const out = await pbx();
    const call = await out.call({ to: { host: '192.0.2.1', port: 5060 }, user: '1' });
    expect(methods(out, 'out')).toEqual([]);
    expect(() =>
      call.rtp.connect({
        host: '192.0.2.1',
        port: 9,
        law: 'PCMA',
        payloadType: 8,
        eventPayloadType: undefined,
        silent: false,
      }),
    ).toThrow(RangeError);
  });
});
