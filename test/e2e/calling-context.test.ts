import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundSocket } from '../support/bound-socket.js';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { BUSINESS, NUMBER_ID, pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));
const answer = loopbackSdp(readFixture('sdp/meta-business-initiated-answer-from-meta.sdp'));
const USER_ID = 'US.13491208655302741918';
const ID = 'wacid.double-1';

describe('what a call carries from one side to the other', () => {
  let bridge: ScriptedBridge;
  let logger: RecordingLogger;
  let rtp: Socket;

  beforeEach(async () => {
    logger = new RecordingLogger();
    rtp = await boundSocket();
    bridge = await ScriptedBridge.start({ logger });
  });
  afterEach(async () => {
    await bridge.stop();
    rtp.close();
  });

  /** The PBX calls `user` with these headers; its INVITE, for later in the dialog. */
  const invite = (user: string, headers: readonly string[] = []): PeerMessage =>
    bridge.pbxCalls({ user, body: pbxSdp(rtp.address().port), headers });
  const connectBody = async (): Promise<Record<string, unknown>> => {
    await bridge.step('graph.connect');
    return bridge.graph.seen[0]!.body;
  };
  /** A webhook of the business-initiated call, of whatever the test wants it to hold. */
  const call = (event: string, more: Record<string, unknown>): unknown =>
    bridge.event({
      calls: [{ id: ID, event, timestamp: bridge.now, direction: 'BUSINESS_INITIATED', from: BUSINESS, ...more }],
    });
  const status = (word: string, more: Record<string, unknown> = {}): unknown =>
    bridge.event({ statuses: [{ id: ID, timestamp: bridge.now, type: 'call', status: word, ...more }] });
  const userConnect = (more: Record<string, unknown>, contact: Record<string, unknown> = {}): unknown => {
    const known = { id: 'wacid.1', event: 'connect', timestamp: bridge.now, direction: 'USER_INITIATED', to: BUSINESS };
    return bridge.event({
      contacts: [contact],
      calls: [{ ...known, session: { sdp_type: 'offer', sdp: offer }, ...more }],
    });
  };
  const pickUp = async (request: PeerMessage, headers: readonly string[] = []): Promise<void> => {
    await bridge.pbxPicksUp(request, { body: pbxSdp(rtp.address().port), headers });
  };
  const accepted = (): Record<string, unknown> =>
    bridge.graph.seen.find(({ body }) => body['action'] === 'accept')!.body;

  it('a call of the PBX: its opaque string behind our key, the dial plan’s facts on 180 and 200, Meta’s times in the record', async () => {
    const request = invite(`+${USER}`, ['X-WA-Opaque: ticket 4711; prio=1']);
    const { biz_opaque_callback_data: opaque, to, recipient } = await connectBody();
    expect(opaque).toMatch(/^s2w:[0-9A-HJKMNP-TV-Z]{26};ticket 4711; prio=1$/);
    expect([to, recipient]).toEqual([USER, undefined]);
    await bridge.deliver(call('connect', { to: USER, session: { sdp_type: 'answer', sdp: answer } }));
    await bridge.deliver(status('RINGING', { recipient_id: USER }));
    const facts = (message: PeerMessage): (string | undefined)[] =>
      ['X-WA-Call-Id', 'X-WA-User', 'X-WA-Number-Id', 'X-WA-Direction', 'X-CID'].map((name) => message.all(name)[0]);
    const ringing = await bridge.pbx.response(180, 'INVITE');
    await bridge.deliver(status('ACCEPTED', { recipient_id: USER }));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
    const times = { start_time: '1671644824', end_time: 1671644944, duration: '120', status: ['Completed'] };
    await bridge.deliver(call('terminate', { to: USER, biz_opaque_callback_data: opaque, ...times }));
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    const record = await bridge.record();
    expect(record).toMatchObject({
      ...{ opaque: 'ticket 4711; prio=1', user: `+${USER}`, waCallId: ID },
      ...{ metaStart: '2022-12-21T17:47:04.000Z', metaEnd: '2022-12-21T17:49:04.000Z' },
      ...{ metaDurationS: 120, metaStatus: 'COMPLETED' },
    });
    const expected = [ID, `+${USER}`, NUMBER_ID, 'business_initiated', record.call];
    expect(facts(ringing)).toEqual(expected);
    expect(facts(ok)).toEqual(expected);
    expect(logger.lines.map(({ message }) => message)).not.toContain('opaque string came back changed');
  });

  it('Meta’s times are in the record also when the PBX hangs up, and its terminate follows ours', async () => {
    const request = invite(`+${USER}`);
    await connectBody();
    await bridge.deliver(call('connect', { to: USER, session: { sdp_type: 'answer', sdp: answer } }));
    await bridge.deliver(status('ACCEPTED', { recipient_id: USER }));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
    bridge.pbx.send(bridge.pbx.inDialog('BYE', request, ok, { cseq: 2 }), bridge.sip);
    await bridge.step('graph.terminate');
    await bridge.deliver(call('terminate', { to: USER, start_time: '100', end_time: '103', duration: 3 }));
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'a', metaDurationS: 3 });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
  });

  it('cuts what is too long for Meta between characters, says so, and keeps it whole in the record', async () => {
    const own = `${'x'.repeat(480)}👍${'y'.repeat(300)}`;
    invite(`+${USER}`, [`X-WA-Opaque: ${own}`]);
    const opaque = (await connectBody())['biz_opaque_callback_data'] as string;
    expect(opaque.length).toBe(511);
    expect(opaque.endsWith(`;${'x'.repeat(480)}`)).toBe(true);
    const cut = logger.lines.filter(({ message }) => message.includes('too long for Meta'));
    expect(cut).toMatchObject([{ level: 'warn', fields: { characters: own.length } }]);
    await bridge.deliver(status('REJECTED', { recipient_id: USER, biz_opaque_callback_data: opaque }));
    await bridge.pbx.response(486, 'INVITE');
    expect(await bridge.record()).toMatchObject({ code: 'declined', opaque: own });
  });

  it('finds its call by the key alone before the HTTP reply, with the operator’s string behind it or without', async () => {
    let reply = (): void => undefined;
    bridge.graph.replies((response) => {
      reply = () => response.end(JSON.stringify({ calls: [{ id: ID }] }));
    });
    const forged = 's2w:01ARZ3NDEKTSV4RRFFQ69G5FAV';
    invite(`+${USER}`, [`X-WA-Opaque: ${forged};${forged}`]);
    await expect.poll(() => bridge.graph.seen.length).toBe(1);
    const opaque = bridge.graph.seen[0]!.body['biz_opaque_callback_data'] as string;
    expect(opaque.indexOf(forged)).toBeGreaterThan(30);
    await bridge.deliver(status('RINGING', { recipient_id: USER, biz_opaque_callback_data: opaque }));
    await bridge.pbx.response(180, 'INVITE');
    const [key = ''] = opaque.split(';');
    await bridge.deliver(status('REJECTED', { recipient_id: USER, biz_opaque_callback_data: key }));
    await bridge.pbx.response(486, 'INVITE');
    reply();
    expect(await bridge.record()).toMatchObject({ code: 'declined', waCallId: ID });
    expect(bridge.actions).toEqual(['connect']);
  });

  it('a webhook without our key waits for the HTTP reply that names its call', async () => {
    let reply = (): void => undefined;
    bridge.graph.replies((response) => {
      reply = () => response.end(JSON.stringify({ calls: [{ id: ID }] }));
    });
    const request = invite(`+${USER}`);
    await expect.poll(() => bridge.graph.seen.length).toBe(1);
    await bridge.deliver(call('connect', { to: USER, session: { sdp_type: 'answer', sdp: answer } }));
    await bridge.deliver(status('ACCEPTED', { recipient_id: USER }));
    expect(bridge.pbx.count((message) => (message.status ?? 0) > 100)).toBe(0);
    reply();
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
    await bridge.deliver(call('terminate', { to: USER }));
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'b', waCallId: ID });
  });

  it('a user without a number is called by id, and named by it on what answers the PBX', async () => {
    invite(USER_ID);
    const body = await connectBody();
    expect([body['to'], body['recipient']]).toEqual([undefined, USER_ID]);
    await bridge.deliver(status('RINGING', { recipient_user_id: USER_ID }));
    expect((await bridge.pbx.response(180, 'INVITE')).get('X-WA-User')).toBe(USER_ID);
    await bridge.deliver(status('REJECTED', { recipient_id: USER_ID }));
    await bridge.pbx.response(486, 'INVITE');
    const record = await bridge.record();
    expect(record).toMatchObject({ code: 'declined', userId: USER_ID });
    expect(record.user).toBeUndefined();
  });

  it('a call of a user without a number works, with the id as identity and the username as name', async () => {
    const contact = { user_id: USER_ID, profile: { username: 'anna.o' } };
    await bridge.deliver(userConnect({ from_user_id: USER_ID }, contact));
    const request = await bridge.pbx.request('INVITE');
    expect(request.get('From')).toContain(`"anna.o" <sip:${USER_ID}@`);
    expect(request.get('P-Asserted-Identity')).toContain(`<sip:${USER_ID}@`);
    expect(request.get('X-WA-User')).toBe(USER_ID);
    await pickUp(request);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', request, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const record = await bridge.record();
    expect(record).toMatchObject({ code: 'hangup', endedBy: 'b', userId: USER_ID });
    expect(record.user).toBeUndefined();
  });

  it('an id inside `from`, of whatever characters, is escaped where it stands in a URI', async () => {
    await bridge.deliver(userConnect({ from: 'US.a b>;x@y"' }));
    const request = await bridge.pbx.request('INVITE');
    expect(request.get('From')).toMatch(/^<sip:US\.a%20b%3E%3Bx%40y%22@[^;>]+>;tag=/);
    expect(request.get('X-WA-User')).toBe('US.a b>;x@y"');
    await pickUp(request);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', request, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ code: 'hangup' });
  });

  it.each([
    ['cta', { cta_payload: 'order-4711\r\nX-Evil: 1' }, 'ctaPayload'],
    ['deeplink', { deeplink_payload: 'order-4711\r\nX-Evil: 1' }, 'deeplinkPayload'],
  ])('the payload of a %s reaches the dial plan and the record', async (type, payload, field) => {
    await bridge.deliver(userConnect({ from: USER, ...payload }));
    const request = await bridge.pbx.request('INVITE');
    expect(request.get('X-WA-Payload')).toBe('order-4711 X-Evil: 1');
    expect(request.get('X-WA-Payload-Type')).toBe(type);
    expect(request.has('X-Evil')).toBe(false);
    bridge.pbx.reply(request, 486, 'Busy Here', { toTag: 'p1' });
    expect(await bridge.record()).toMatchObject({ [field]: 'order-4711\r\nX-Evil: 1' });
  });

  it('a payload that came only with terminate is in the record', async () => {
    await bridge.deliver(userConnect({ from: USER }));
    const request = await bridge.pbx.request('INVITE');
    expect(request.has('X-WA-Payload')).toBe(false);
    expect(request.has('X-WA-Payload-Type')).toBe(false);
    await pickUp(request);
    const payloads = { cta_payload: 'late', start_time: '100', end_time: '103', duration: 3 };
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED', payloads));
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ ctaPayload: 'late', metaDurationS: 3, metaStatus: 'COMPLETED' });
  });

  it('a payload of many wide characters does not make the INVITE too large', async () => {
    await bridge.deliver(
      userConnect({ from: USER, cta_payload: '👍'.repeat(512) }, { profile: { name: '👍'.repeat(90) } }),
    );
    const request = await bridge.pbx.request('INVITE');
    expect(request.get('X-WA-Payload')).toBe('👍'.repeat(128));
    bridge.pbx.reply(request, 486, 'Busy Here', { toTag: 'p1' });
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
  });

  it.each([
    ['with its 200', [], ['X-WA-Opaque: room 12']],
    ['with its ringing', ['X-WA-Opaque: room 12'], []],
  ])('the PBX’s opaque string for a user’s call comes %s and goes out with accept', async (_, on180, on200) => {
    await bridge.deliver(userConnect({ from: USER }));
    const request = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(request, 180, 'Ringing', { toTag: 'p1', headers: on180 });
    await bridge.step('sip.ringing');
    await pickUp(request, on200);
    const opaque = accepted()['biz_opaque_callback_data'];
    expect(opaque).toMatch(/^s2w:[0-9A-HJKMNP-TV-Z]{26};room 12$/);
    await bridge.deliver(bridge.terminate('wacid.1', 'USER_INITIATED', { biz_opaque_callback_data: 'another' }));
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    expect(await bridge.record()).toMatchObject({ opaque: 'room 12' });
    const changed = logger.lines.find(({ message }) => message === 'opaque string came back changed');
    expect(changed?.fields).toMatchObject({ sent: opaque, returned: 'another' });
  });
});
