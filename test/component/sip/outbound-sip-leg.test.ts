import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { eventually } from '../../support/eventually.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { endsOnce, SipScene, stopClean, type SceneOptions } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

const setUp = async (options: SceneOptions = {}): Promise<void> => {
  scene = await SipScene.start(options);
  pbx = await SipScriptPeer[options.transport ?? 'udp']();
};

const tearDown = (): Promise<void> => stopClean(scene, pbx);

/** Dials, and rings at the PBX. */
const ringing = async (toTag = 'pbx1') => {
  const outbound = scene.outbound(scene.target(pbx));
  outbound.leg.dial();
  const invite = await pbx.request('INVITE');
  pbx.reply(invite, 180, 'Ringing', { toTag });
  await outbound.log.saw('progress');
  return { ...outbound, invite };
};

/** Dials, rings and answers; returns both INVITE and leg. */
const answered = async () => {
  const outbound = await ringing();
  pbx.reply(outbound.invite, 200, 'OK', { toTag: 'pbx1', body: pbxAudio() });
  await pbx.request('ACK');
  await outbound.log.saw('answered');
  return outbound;
};

const headersOf = (message: PeerMessage, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, message.get(name)]));

describe.each(['udp', 'tcp'] as const)('a call to the PBX over %s', (transport) => {
  beforeEach(() => setUp({ transport }));
  afterEach(tearDown);

  it('is offered with identity, facts and our codecs, answered, and hung up by us', async () => {
    const { leg, log, invite, call } = await answered();
    expect(invite.uri).toBe(`sip:+15551112222@127.0.0.1:${pbx.port}${transport === 'tcp' ? ';transport=tcp' : ''}`);
    expect(headersOf(invite, ['X-WA-User', 'X-WA-Name', 'X-WA-Number-Id', 'X-WA-Call-Id', 'X-WA-Direction'])).toEqual({
      'X-WA-User': '+4915112345678',
      'X-WA-Name': 'Anna',
      'X-WA-Number-Id': '105',
      'X-WA-Call-Id': 'wacid.ABC==',
      'X-WA-Direction': 'user_initiated',
    });
    expect(invite.get('X-WA-Payload')).toBe('spring');
    expect(invite.get('X-CID')).toBe(call);
    const own = `<sip:+4915112345678@127.0.0.1:${scene.address.port}>`;
    expect(invite.get('From')).toMatch(/^"Anna" <sip:\+4915112345678@127\.0\.0\.1:\d+>;tag=[0-9a-f]{16}$/);
    expect(invite.get('P-Asserted-Identity')).toBe(`"Anna" ${own}`);
    expect(invite.body).toContain('m=audio 40000 RTP/AVP 8 0 101');
    expect(invite.all('Content-Type')).toEqual(['application/sdp']);

    leg.hangup(endReason('hangup', { text: 'user hung up' }));
    const bye = await pbx.request('BYE');
    expect(bye.get('Reason')).toBe('Q.850;cause=16;text="user hung up"');
    expect(leg.facts['sipCallId']).toBe(bye.get('Call-ID'));
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['progress', 'answered', 'terminated']);
    expect(scene.steps).toEqual(['sip.invite', 'sip.ringing', 'sip.answer', 'sip.ack', 'sip.bye']);
    expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
  });

  it('ends when the PBX hangs up, with the cause it names', async () => {
    const { log, invite } = await answered();
    pbx.send(
      pbx.fromCallee('BYE', invite, 'pbx1', 1, ['Reason: SIP;cause=200, Q.850;cause=31;text="done, thanks"']),
      invite.connection ?? scene.address,
    );
    const { reason } = await log.saw('ended');
    expect(reason).toMatchObject({ code: 'hangup', q850: 31, text: 'done, thanks' });
    await pbx.response(200, 'BYE');
    await log.saw('terminated');
    expect(log.types).toEqual(['progress', 'answered', 'ended', 'terminated']);
  });
});

describe('a call to the PBX', () => {
  beforeEach(() => setUp());
  afterEach(tearDown);

  it('notes the dial before the INVITE and the dialog when it stands', async () => {
    const { leg, log, invite, call } = await answered();
    const entries = scene.journal.entries();
    expect(entries.map((entry) => entry.event)).toEqual(['dial', 'dialog']);
    expect(entries.every((entry) => entry.call === call)).toBe(true);
    expect(entries[0]?.data['sipCallId']).toBe(invite.get('Call-ID'));
    expect(entries[1]?.data).toMatchObject({
      sipCallId: invite.get('Call-ID'),
      localTag: invite.tag('From'),
      remoteTag: 'pbx1',
      cseq: invite.get('CSeq'),
      remoteTarget: `sip:peer@127.0.0.1:${pbx.port}`,
      remoteParty: invite.get('To'),
      routeSet: '',
    });
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
    await eventually(() => scene.journal.entries().at(-1)?.event === 'dialog_ended', 'dialog_ended');
  });

  it.each([
    [486, 'Busy Here', [], { code: 'busy', q850: 17, sipStatus: 486 }, false],
    [603, 'Decline', [], { code: 'declined', sipStatus: 603 }, false],
    [404, 'Not Found', ['Reason: Q.850;cause=1'], { code: 'not_found', q850: 1 }, false],
    [503, 'Service Unavailable', ['Retry-After: 17 (soon)'], { code: 'trunk_down', retryAfterS: 17 }, true],
    [500, 'Server Internal Error', [], { code: 'trunk_down' }, true],
    [488, 'Not Acceptable Here', [], { code: 'no_codec' }, false],
    [480, 'Unavailable', ['Reason: Q.850;cause=20'], { code: 'unavailable', q850: 20 }, false],
    [302, 'Moved Temporarily', [], { code: 'unavailable' }, false],
  ] as const)('refused with %i %s fails with its meaning', async (status, phrase, headers, reason, retry) => {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    // A 302 with a Contact would be followed.
    pbx.reply(await pbx.request('INVITE'), status, phrase, { toTag: 'x', headers, noContact: true });
    expect(await log.saw('failed')).toMatchObject({ reason, retry });
    await pbx.request('ACK');
    await log.saw('terminated');
    expect(log.types).toEqual(['failed', 'terminated']);
  });

  it('tells early media from ringing, and takes an answer that only the 183 had', async () => {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 183, 'Session Progress', { toTag: 'x', body: pbxAudio() });
    await log.saw('earlyMedia');
    pbx.reply(invite, 200, 'OK', { toTag: 'x' });
    await log.saw('answered');
    expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('is acknowledged and hung up at once when the answer is of no use', async () => {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    pbx.reply(await pbx.request('INVITE'), 200, 'OK', { toTag: 'x', body: pbxAudio({ formats: '18' }) });
    await pbx.request('ACK');
    const bye = await pbx.request('BYE');
    expect(bye.get('Reason')).toMatch(/^SIP;cause=488;text="/);
    pbx.reply(bye, 200, 'OK', { noContact: true });
    expect(await log.saw('failed')).toMatchObject({ reason: { code: 'no_codec' }, retry: false });
    await log.saw('terminated');
    expect(log.types).toEqual(['failed', 'terminated']);
  });

  it('is cancelled while it rings', async () => {
    const { leg, log, invite } = await ringing('x');
    leg.hangup(endReason('cancelled'));
    const cancel = await pbx.request('CANCEL');
    expect(cancel.branch).toBe(invite.branch);
    pbx.reply(cancel, 200, 'OK', { noContact: true });
    pbx.reply(invite, 487, 'Request Terminated', { toTag: 'x', noContact: true });
    await pbx.request('ACK');
    await log.saw('terminated');
    expect(log.types).toEqual(['progress', 'terminated']);
  });

  it('leaves no ghost when the 200 crosses our CANCEL', async () => {
    const { leg, log, invite } = await ringing('x');
    leg.hangup(endReason('cancelled'));
    const cancel = await pbx.request('CANCEL');
    pbx.reply(invite, 200, 'OK', { toTag: 'x', body: pbxAudio() });
    pbx.reply(cancel, 481, 'Call Does Not Exist', { noContact: true });
    await pbx.request('ACK');
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['progress', 'terminated']);
    expect(scene.steps.filter((step) => step === 'sip.bye')).toHaveLength(1);
    expect(new Set(pbx.received.filter(({ method }) => method === 'BYE').map(({ cseq }) => cseq)).size).toBe(1);
  });

  it('hung up before the INVITE left sends nothing', async () => {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    leg.hangup(endReason('cancelled'));
    await log.saw('terminated');
    expect(log.types).toEqual(['terminated']);
    expect(pbx.received).toEqual([]);
  });

  it('counts a BYE refused with 481 as ended', async () => {
    const { leg, log } = await answered();
    leg.hangup(endReason('admin'));
    pbx.reply(await pbx.request('BYE'), 481, 'Call Does Not Exist', { noContact: true });
    await log.saw('terminated');
    expect(endsOnce(log.events)).toBe(true);
  });

  it('answers hold, refresh, DTMF and strange requests inside the dialog itself', async () => {
    const { leg, log, invite } = await answered();
    const ask = (method: string, cseq: number, body = '', headers: string[] = []): void =>
      pbx.send(pbx.fromCallee(method, invite, 'pbx1', cseq, headers, body), scene.address);

    ask('INVITE', 1, pbxAudio({ attribute: 'sendonly' }));
    const held = await pbx.response(200, 'INVITE');
    expect(held.body).toContain('a=recvonly');
    ask('ACK', 1);
    await log.saw('held');

    ask('UPDATE', 2, pbxAudio());
    expect((await pbx.response(200, 'UPDATE')).body).toContain('a=sendrecv');
    await log.saw('resumed');

    ask('INVITE', 3, pbxAudio({ formats: '18' }));
    const refused = await pbx.response(488, 'INVITE');
    expect(refused.get('Warning')).toBe('305 sip2wa "supported: PCMA PCMU"');
    ask('ACK', 3);

    const relay = ['Signal=10', 'Duration=160', ''].join('\r\n');
    pbx.send(
      pbx
        .fromCallee('INFO', invite, 'pbx1', 4, ['Content-Type: application/dtmf-relay'], relay)
        .replace('Content-Type: application/sdp\r\n', ''),
      scene.address,
    );
    await pbx.response(200, 'INFO');
    expect(await log.saw('dtmf')).toEqual({ type: 'dtmf', digit: '*', durationMs: 160 });

    ask('REFER', 5, '', ['Refer-To: <sip:600@198.51.100.1>']);
    await pbx.response(403, 'REFER');
    ask('OPTIONS', 6);
    await pbx.response(200, 'OPTIONS');

    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['progress', 'answered', 'held', 'resumed', 'dtmf', 'terminated']);
  });

  it('takes one new description at a time', async () => {
    const { leg, log, invite } = await answered();
    const endpoint = scene.media.endpoints[0]!;
    let open = (): void => undefined;
    endpoint.answerGate = new Promise((resolve) => (open = resolve));
    pbx.send(pbx.fromCallee('UPDATE', invite, 'pbx1', 1, [], pbxAudio({ port: 30_004 })), scene.address);
    pbx.send(pbx.fromCallee('UPDATE', invite, 'pbx1', 2, [], pbxAudio({ port: 30_006 })), scene.address);
    const refused = await pbx.response(500, 'UPDATE');
    expect([refused.cseq, refused.get('Retry-After')]).toEqual([2, '2']);
    open();
    expect((await pbx.response(200, 'UPDATE')).cseq).toBe(1);
    expect(endpoint.log).toEqual(['offer', 'accept', 'answer']);
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('is not sent at all when its frame would wedge a drachtio-server', async () => {
    scene.media.offerPadding = 3_500;
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    await log.saw('failed');
    await log.saw('terminated');
    expect(pbx.received).toEqual([]);
    expect(scene.logger.text()).toContain('INVITE is larger than a drachtio-server takes');
  });

  it('makes an offer when a re-INVITE brings none, and takes the answer from the ACK', async () => {
    const { leg, log, invite } = await answered();
    pbx.send(pbx.fromCallee('INVITE', invite, 'pbx1', 1), scene.address);
    const offer = await pbx.response(200, 'INVITE');
    expect(offer.body).toContain('m=audio 40000 RTP/AVP 8 0 101');
    pbx.send(pbx.fromCallee('ACK', invite, 'pbx1', 1, [], pbxAudio({ port: 30_002 })), scene.address);
    await eventually(() => scene.media.endpoints[0]?.log.length === 4, 'answer applied');
    expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept', 'offer', 'accept']);
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('carries a hostile name as text only', async () => {
    const { leg, log } = scene.outbound(scene.target(pbx), {
      caller: { user: '4915112345678', name: 'Eve" <sip:x>\r\nX-Evil: 1\r\n\r\n\\\u202egnp.exe' },
      whatsApp: {
        numberId: '1',
        callId: 'a\r\nX-Evil: 2',
        direction: 'user_initiated',
        payload: { type: 'cta', text: 'p\nX-Evil: 3' },
      },
    });
    leg.dial();
    const invite = await pbx.request('INVITE');
    expect(invite.headers.filter(([name]) => /evil/i.test(name))).toEqual([]);
    expect(invite.get('X-WA-Name')).toBe('Eve" <sip:x> X-Evil: 1 \\ gnp.exe');
    expect(invite.get('From')).toMatch(/^"Eve\\" <sip:x> X-Evil: 1 \\\\ gnp.exe" <sip:4915112345678@/);
    pbx.reply(invite, 486, 'Busy', { toTag: 'x' });
    await log.saw('terminated');
  });

  it('fails when its media dies, and hangs up the PBX', async () => {
    const { log } = await answered();
    scene.media.endpoints[0]?.say({ type: 'first_packet' });
    scene.media.endpoints[0]?.say({ type: 'failed', reason: endReason('media_failed') });
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    expect((await log.saw('ended')).reason.code).toBe('media_failed');
    await log.saw('terminated');
    expect(scene.steps).toContain('media.first_from_pbx');
  });
});

describe('a PBX that does not answer', () => {
  afterEach(tearDown);

  it('is given up after the silence limit, and hung up if it answers all the same', async () => {
    await setUp({ timeouts: { probeMs: 100, silenceMs: 300 } });
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    await pbx.request('OPTIONS');
    expect(await log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['failed', 'terminated']);
    pbx.reply(invite, 200, 'OK', { toTag: 'late', body: pbxAudio() });
    await pbx.request('ACK');
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
  });

  it('is waited for as long as it shows that it lives', async () => {
    await setUp({ timeouts: { probeMs: 50, silenceMs: 400 } });
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 100, 'Trying', { noContact: true });
    pbx.reply(await pbx.request('OPTIONS'), 404, 'Not Found', { noContact: true });
    // A server dialled later that says nothing at all is given up first: the limit has passed for both.
    const deaf = await SipScriptPeer.udp();
    const later = scene.outbound(scene.target(deaf));
    later.leg.dial();
    await later.log.saw('failed');
    await deaf.stop();
    expect(log.types).toEqual([]);
    pbx.reply(invite, 180, 'Ringing', { toTag: 'x' });
    await log.saw('progress');
    leg.hangup(endReason('no_answer'));
    pbx.reply(await pbx.request('CANCEL'), 200, 'OK', { noContact: true });
    pbx.reply(invite, 487, 'Request Terminated', { toTag: 'x', noContact: true });
    await log.saw('terminated');
  });

  it('fails at once when its port is closed', async () => {
    await setUp();
    const target = scene.target(pbx);
    await pbx.stop();
    const { leg, log } = scene.outbound(target);
    leg.dial();
    expect(await log.saw('failed')).toMatchObject({ reason: { code: 'trunk_down' }, retry: true });
    await log.saw('terminated');
    pbx = await SipScriptPeer.udp();
  });

  it('is over in time when it never answers a BYE', async () => {
    await setUp({ timeouts: { byeMs: 300 } });
    const { leg, log } = await answered();
    leg.hangup(endReason('hangup'));
    await pbx.request('BYE');
    await log.saw('terminated');
    expect(scene.logger.lines.map((line) => line.message)).toContain('BYE unconfirmed');
  });
});

describe('a full trunk', () => {
  afterEach(tearDown);

  it('takes no further call until one ends', async () => {
    await setUp({ trunk: { maxCalls: 1 } });
    const first = await answered();
    const second = scene.outbound(scene.target(pbx));
    second.leg.dial();
    expect((await second.log.saw('failed')).reason.code).toBe('limit');
    await second.log.saw('terminated');
    first.leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await first.log.saw('terminated');
    const third = scene.outbound(scene.target(pbx));
    third.leg.dial();
    const invite = await pbx.next((m) => m.method === 'INVITE' && m.get('X-CID') === third.call, 'third INVITE');
    pbx.reply(invite, 486, 'Busy Here', { toTag: 'x' });
    await third.log.saw('terminated');
  });
});
