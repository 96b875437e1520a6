import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { musicHz, phonesPort, tone, type Asterisk } from '../support/peers/asterisk.js';
import { asteriskCallsUser, phoneToneHz, startPhone, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import type { Baresip } from '../support/peers/baresip.js';
import type { Bridge } from '../support/peers/bridge.js';
import { expectTone, expectTones } from '../support/peers/hearing.js';
import { business, user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor, until } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

const keys = '0123456789*#';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

const over = async (asterisk: Asterisk, bridge: Bridge): Promise<void> => {
  await asterisk.idle(5_000);
  await bridge.idle(5_000);
  expect(bridge.complaints).toEqual([]);
};

/** Messages of Asterisk's log that begin with a line like this. */
const messages = (asterisk: Asterisk, start: RegExp): string[] =>
  asterisk
    .log()
    .split(/<--- (?:Transmitting|Received)[^\n]*--->\n/)
    .filter((one) => start.test(one.split('\n', 1)[0] ?? ''));

/** 200s to an INVITE. */
const answers = (asterisk: Asterisk): string[] =>
  messages(asterisk, /^SIP\/2\.0 200 /).filter((one) => /^CSeq: \d+ INVITE$/m.test(one));

describe('keys with Asterisk', () => {
  it('are heard both ways, each once and as long as it was pressed', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '630' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    const heard = await call.relay.pressed(keys.length, 15_000);
    call.relay.press(keys, 200);
    const { ami } = asterisk;
    const channel = await asterisk.channel('PJSIP/sip2wa');
    const ends = await until('all keys at Asterisk', 10_000, () => {
      const all = ami.all({ Event: 'DTMFEnd', Direction: 'Received', Channel: channel });
      return all.length >= keys.length ? all : undefined;
    });
    await listenFor(1_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expect(heard.map(({ digit }) => digit).join('')).toBe(keys);
    // Asterisk asked for 160 ms; its telephone-events say 220 on the wire, as counted from the packets that come in meanwhile
    for (const { durationMs } of heard) expect(Math.abs(durationMs - 220)).toBeLessThanOrEqual(60);
    expect(ends.map(({ Digit }) => Digit).join('')).toBe(keys);
    for (const { DurationMs } of ends) expect(Math.abs(Number(DurationMs) - 200)).toBeLessThanOrEqual(20);
    // and the audio between and after them is whole
    const { heard: sound, stats } = await call.judge();
    expect(stats.events).toBe(keys.length);
    expectTones(sound, [{ ...tone, atLeastMs: 2_000 }]);
    expectTones(await asterisk.heard(), [{ hz: userToneHz, atLeastMs: 700 }]);
  });
});

describe('hold by a phone behind Asterisk', () => {
  it.each([
    ['plays its music', {}, true, 0],
    ['passes the hold on', { moh_passthrough: 'yes' }, false, 1],
  ] as const)('Asterisk %s; both hear each other again', async (_, endpoint, isMusical, holds) => {
    const { asterisk, bridge } = await startWithAsterisk(
      scene,
      { changes: { 'sip2wa/endpoint': endpoint } },
      { to: '626' },
    );
    await asterisk.logSip();
    const phone = await startPhone(scene, '100');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_000);
    await phone.command('hold');
    await until('Asterisk holds', 5_000, () => asterisk.ami.all({ Event: 'Hold' }).length || undefined);
    await listenFor(1_500);
    await phone.command('resume');
    await until('Asterisk resumes', 5_000, () => asterisk.ami.all({ Event: 'Unhold' }).length || undefined);
    await listenFor(1_500);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await over(asterisk, bridge);
    const held = messages(asterisk, /^INVITE sip:127\.0\.0\.2:/).filter((one) => one.includes('a=sendonly'));
    expect(held).toHaveLength(holds);
    const phoneTone = { hz: phoneToneHz, atLeastMs: 700 };
    expectTones(
      (await call.judge()).heard,
      isMusical
        ? [phoneTone, { hz: musicHz, atLeastMs: 1_000 }, phoneTone]
        : [{ hz: phoneToneHz, atLeastMs: 1_700, atMostMs: 3_400 }],
    );
    // what came to Asterisk all the while: with its music too, but nothing while the bridge itself was held
    const longest = isMusical ? {} : { atMostMs: 3_400 };
    expectTones(await asterisk.heard(), [{ hz: userToneHz, atLeastMs: isMusical ? 3_000 : 1_700, ...longest }]);
    expectTones(await phone.heard(), [{ hz: userToneHz, atLeastMs: 700 }]);
  });
});

describe('transfers by Asterisk', () => {
  it('puts a user-initiated call through by REFER', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '640' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await judgeTransfer(asterisk, bridge, call);
    expect(bridge.meta.actions).toEqual(['pre_accept', 'accept']);
  });

  it('puts a business-initiated call through by REFER', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, {});
    const call = await WhatsAppCall.toUser(scene, bridge);
    await asterisk.callOutTo('640', user);
    await call.ringsAndPicksUp();
    await judgeTransfer(asterisk, bridge, call, 'BUSINESS_INITIATED');
    expect(bridge.meta.actions).toEqual(['connect']);
  });

  /** The user hears who transfers, then whom she is put through to, and is heard there. */
  const judgeTransfer = async (
    asterisk: Asterisk,
    bridge: Bridge,
    call: WhatsAppCall,
    direction: 'USER_INITIATED' | 'BUSINESS_INITIATED' = 'USER_INITIATED',
  ): Promise<void> => {
    const { Status } = await asterisk.ami.event({ Event: 'UserEvent', UserEvent: 'Transferred' }, 10_000);
    expect(Status).toBe('SUCCESS');
    await listenFor(2_000);
    await bridge.meta.userHangsUp(direction);
    await over(asterisk, bridge);
    const first = { hz: 440, levelDb: tone.levelDb, atLeastMs: 1_000 };
    expectTones((await call.judge()).heard, [first, { ...tone, atLeastMs: 600 }]);
    expectTone(await asterisk.heard(), userToneHz, 700);
  };

  it('puts an unanswered call through by 302', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '642' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [{ ...tone, atLeastMs: 1_500 }]);
    expectTone(await asterisk.heard(), userToneHz, 1_500);
  });

  it('takes a call over by an INVITE with Replaces', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { to: '600' });
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await listenFor(1_000);
    const old = await asterisk.channel('PJSIP/sip2wa');
    const [id, local, remote] = await Promise.all(
      ['call-id', 'local_tag', 'remote_tag'].map((name) => asterisk.valueOf(old, `CHANNEL(pjsip,${name})`)),
    );
    const replaces = `${id ?? ''};to-tag=${remote ?? ''};from-tag=${local ?? ''}`;
    await asterisk.ami.action({
      Action: 'Originate',
      Channel: `Local/${business.number}@taking-over/n`,
      Variable: `__REPLACES=${replaces}`,
      Context: 'test-caller',
      Exten: 'tone',
      Priority: '1',
      Async: 'true',
    });
    await asterisk.ami.event({ Event: 'Hangup', Channel: old }, 5_000);
    await listenFor(1_500);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [
      { hz: userToneHz, atLeastMs: 500 },
      { ...tone, atLeastMs: 600 },
    ]);
    expectTone(await asterisk.heard(), userToneHz, 700);
  });
});

describe('transfers by a phone behind Asterisk', () => {
  const connected = async (): Promise<{ asterisk: Asterisk; bridge: Bridge; phone: Baresip; call: WhatsAppCall }> => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, {});
    const phone = await startPhone(scene, '100');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_000);
    return { asterisk, bridge, phone, call };
  };

  it('blind: Asterisk joins the call with an extension of its own', async () => {
    const { asterisk, bridge, phone, call } = await connected();
    await phone.command('transfer', `sip:641@${address.asterisk}:${phonesPort}`);
    await phone.event('CALL_CLOSED', 5_000);
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [
      { hz: phoneToneHz, atLeastMs: 500 },
      { ...tone, atLeastMs: 600 },
    ]);
    expectTone(await asterisk.heard(), userToneHz, 700);
  });

  it('attended, after a consultation while the user hears music', async () => {
    const { asterisk, bridge, phone, call } = await connected();
    await phone.command('hold');
    await until('Asterisk holds', 5_000, () => asterisk.ami.all({ Event: 'Hold' }).length || undefined);
    const seen = phone.seen;
    await phone.command('dial', `sip:620@${address.asterisk}:${phonesPort}`);
    const { id = '' } = await phone.event('CALL_ESTABLISHED', 5_000, seen);
    await listenFor(1_000);
    const consultation = await until('its channel', 5_000, async () => {
      const names = (await asterisk.ami.command('core show channels concise')).match(/PJSIP\/100-\w+/g) ?? [];
      for (const name of names) {
        if ((await asterisk.valueOf(name, 'CHANNEL(pjsip,call-id)')) === id) return name;
      }
      return undefined;
    });
    const [local, remote] = await Promise.all(
      ['local_tag', 'remote_tag'].map((name) => asterisk.valueOf(consultation, `CHANNEL(pjsip,${name})`)),
    );
    const replaces = encodeURIComponent(`${id};to-tag=${local ?? ''};from-tag=${remote ?? ''}`);
    await phone.command('line', '1');
    await phone.command('transfer', `<sip:620@${address.asterisk}:${phonesPort}?Replaces=${replaces}>`);
    await listenFor(2_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [
      { hz: phoneToneHz, atLeastMs: 500 },
      { hz: musicHz, atLeastMs: 600 },
      { hz: userToneHz, atLeastMs: 700 },
    ]);
    expectTones(await asterisk.heard(), [
      { hz: phoneToneHz, atLeastMs: 500 },
      { hz: userToneHz, atLeastMs: 700 },
    ]);
  });
});

describe('what Asterisk asks of a trunk', () => {
  it('moves the audio past itself by re-INVITE: the phone and the bridge talk to each other', async () => {
    const changes = { 'sip2wa/endpoint': { direct_media: 'yes' } };
    // audio goes to where calls may come from, to these networks, and nowhere else
    const trunk = `media_networks: [${address.baresip}/32]`;
    const { asterisk, bridge } = await startWithAsterisk(scene, { changes }, { trunk });
    await asterisk.logSip();
    const phone = await startPhone(scene, '100');
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await until('Asterisk moves the audio', 5_000, () =>
      messages(asterisk, /^INVITE sip:.*127\.0\.0\.2/).some((one) => one.includes(`c=IN IP4 ${address.baresip}`)),
    );
    await listenFor(2_000);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await over(asterisk, bridge);
    expectTones((await call.judge()).heard, [{ hz: phoneToneHz, atLeastMs: 1_500 }]);
    expectTone(await phone.heard(), userToneHz, 1_500);
  });

  const callOut = async (asterisk: Asterisk, bridge: Bridge): Promise<void> => {
    const heard = await asteriskCallsUser(scene, asterisk, bridge);
    expect(bridge.complaints).toEqual([]);
    expectTones(heard, [{ ...tone, atLeastMs: 600 }]);
    expectTone(await asterisk.heard(), userToneHz, 600);
  };

  /** A call to the extension that rings, answers, sends back what it hears and records it. */
  const takeCall = async (asterisk: Asterisk, bridge: Bridge): Promise<void> => {
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.accepted();
    await listenFor(1_500);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await over(asterisk, bridge);
    expectTone((await call.judge()).heard, userToneHz, 600);
    expectTone(await asterisk.heard(), userToneHz, 600);
  };

  const expectAcknowledged = (asterisk: Asterisk): void => {
    const ringing = messages(asterisk, /^SIP\/2\.0 180 /)[0] ?? '';
    const number = /^RSeq: +(\d+)$/m.exec(ringing)?.[1] ?? 'none';
    expect(ringing).toMatch(/^Require: 100rel$/m);
    expect(messages(asterisk, /^PRACK /)[0]).toMatch(new RegExp(`^RAck: ${number} \\d+ INVITE$`, 'm'));
  };

  const timed = { timers: 'required', timers_sess_expires: '90', timers_min_se: '90' };
  const acknowledged = { '100rel': 'required' };

  it('session timers, in its call: we refresh', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, { changes: { 'sip2wa/endpoint': timed } }, {});
    await asterisk.logSip();
    await callOut(asterisk, bridge);
    expect(messages(asterisk, /^INVITE /)[0]).toMatch(/^Require: timer$[^]*^Session-Expires: 90$/m);
    expect(answers(asterisk)[0]).toMatch(/^Session-Expires: 90;refresher=uas$/m);
  });

  it('session timers, in ours: we refresh here too', async () => {
    const { asterisk, bridge } = await startWithAsterisk(
      scene,
      { changes: { 'sip2wa/endpoint': timed } },
      { to: '625' },
    );
    await asterisk.logSip();
    await takeCall(asterisk, bridge);
    expect(messages(asterisk, /^INVITE /)[0]).toMatch(/^Session-Expires: 600$[^]*^Min-SE: 90$/m);
    expect(answers(asterisk)[0]).toMatch(/^Session-Expires: 600;refresher=uac$/m);
  });

  it('acknowledged ringing, in its call', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, { changes: { 'sip2wa/endpoint': acknowledged } }, {});
    await asterisk.logSip();
    await callOut(asterisk, bridge);
    expectAcknowledged(asterisk);
  });

  it('acknowledged ringing, in ours', async () => {
    const changes = { 'sip2wa/endpoint': acknowledged };
    const { asterisk, bridge } = await startWithAsterisk(scene, { changes }, { to: '625' });
    await asterisk.logSip();
    await takeCall(asterisk, bridge);
    expectAcknowledged(asterisk);
  });
});
