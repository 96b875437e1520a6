import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { MediaError } from '../../../src/media/media-error.js';
import { eventually } from '../../support/eventually.js';
import { LegLog } from '../../support/leg-log.js';
import { PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import { endsOnce, SipScene, stopClean, type SceneOptions } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';

let scene: SipScene;
let pbx: SipScriptPeer;

const setUp = async (options: SceneOptions = {}): Promise<void> => {
  scene = await SipScene.start(options);
  pbx = await SipScriptPeer.udp();
};

const tearDown = (): Promise<void> => stopClean(scene, pbx);

/** Sends an INVITE and returns it as the peer would read it. */
const invite = (options: { body?: string; uri?: string; headers?: string[]; edit?: (text: string) => string } = {}) => {
  const {
    body = pbxAudio({ formats: '8 0' }),
    uri = scene.uri(),
    headers = [],
    edit = (text: string) => text,
  } = options;
  const text = edit(pbx.newRequest('INVITE', uri, { body, headers }));
  pbx.send(text, scene.address);
  return new PeerMessage(text, pbx, undefined, 0);
};

/** A call that was announced, with its leg listened to. */
const arrived = async (options: Parameters<typeof invite>[0] = {}) => {
  const request = invite(options);
  const call = await scene.call();
  return { request, call, leg: call.leg, log: new LegLog(call.leg) };
};

const connected = async (options: Parameters<typeof invite>[0] = {}, ackBody = '') => {
  const arrival = await arrived(options);
  arrival.leg.answer();
  const ok = await pbx.response(200, 'INVITE');
  pbx.send(pbx.inDialog('ACK', arrival.request, ok, { cseq: 1, body: ackBody }), scene.address);
  return { ...arrival, ok };
};

/** The INVITE with an attribute of this many characters more in its SDP. */
const withLongSdp = (text: string, length: number): string =>
  text.replace(/Content-Length: (\d+)/, (_, own: string) => `Content-Length: ${Number(own) + length}`) +
  `a=x-${'x'.repeat(length - 6)}\r\n`;

const cancelText = (request: PeerMessage): string =>
  [
    `CANCEL ${request.uri} SIP/2.0`,
    `Via: ${request.get('Via')}`,
    'Max-Forwards: 70',
    `From: ${request.get('From')}`,
    `To: ${request.get('To')}`,
    `Call-ID: ${request.get('Call-ID')}`,
    `CSeq: ${request.cseq} CANCEL`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');

describe('a call from the PBX', () => {
  beforeEach(() => setUp());
  afterEach(tearDown);

  it('arrives with its facts, rings, is answered, confirmed and hung up by the PBX', async () => {
    const { call, leg, log, request } = await arrived({
      uri: `sip:%2B4915112345678;phone-context=x@127.0.0.1:${scene.address.port}`,
      headers: ['X-WA-Number-Id: sales', 'X-Folded: one\r\n  two'],
    });
    expect(call).toMatchObject({
      calledUser: '+4915112345678',
      callerUser: 'alice',
      assertedUsers: [],
      divertedBy: [],
    });
    expect(call.trunk.name).toBe('pbx');
    expect(call.header('X-WA-Number-Id')).toBe('sales');
    expect(call.header('x-folded')).toBe('one two');
    expect(call.header('X-None')).toBeUndefined();
    expect(leg.facts).toEqual({
      caller: 'alice',
      sipCallId: request.get('Call-ID'),
      trunk: 'pbx',
      remoteAddress: '127.0.0.1',
    });
    expect(leg.mediaId).toBe('rtp-40000');
    expect(scene.media.endpoints[0]?.options).toMatchObject({
      call: call.call,
      localAddress: '127.0.0.1',
      remoteNetworks: ['127.0.0.1/32'],
    });

    leg.trying();
    leg.ring();
    await pbx.response(180, 'INVITE');
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    expect(ok.body).toContain('m=audio 40000 RTP/AVP 8');
    expect(ok.all('Contact')).toHaveLength(1);
    expect(log.types).toEqual([]);
    pbx.send(pbx.inDialog('ACK', request, ok, { cseq: 1 }), scene.address);
    await log.saw('confirmed');
    expect(scene.journal.entries().map(({ event }) => event)).toEqual(['dialog']);
    expect(scene.journal.entries()[0]?.data).toMatchObject({
      sipCallId: request.get('Call-ID'),
      remoteTag: request.tag('From'),
      localTag: ok.tag('To'),
      remoteTarget: `sip:peer@127.0.0.1:${pbx.port}`,
    });

    pbx.send(pbx.inDialog('BYE', request, ok, { cseq: 2, headers: ['Reason: Q.850;cause=16'] }), scene.address);
    await pbx.response(200, 'BYE');
    expect((await log.saw('ended')).reason).toMatchObject({ code: 'hangup', q850: 16 });
    await log.saw('terminated');
    expect(log.types).toEqual(['confirmed', 'ended', 'terminated']);
    expect(scene.steps).toEqual(['sip.invite', 'sip.ringing', 'sip.answer', 'sip.ack', 'sip.bye']);
  });

  it('is hung up by us with the reason', async () => {
    const { leg, log } = await connected();
    await log.saw('confirmed');
    leg.hangup(endReason('media_timeout', { text: 'no audio' }));
    const bye = await pbx.request('BYE');
    expect(bye.get('Reason')).toBe('Q.850;cause=102;text="no audio"');
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['confirmed', 'terminated']);
  });

  it('without a codec of ours is refused before anybody hears of it', async () => {
    invite({ body: pbxAudio({ formats: '18' }) });
    const refusal = await pbx.response(488, 'INVITE');
    expect(refusal.get('Warning')).toBe('305 sip2wa "supported: PCMA PCMU"');
    expect(refusal.get('Reason')).toMatch(/^Q\.850;cause=88/);
    await eventually(() => scene.agent.legs === 0, 'leg over');
    expect(scene.calls).toEqual([]);
  });

  it('without media ports is refused with a time to try again', async () => {
    scene.media.refuseNext = new MediaError('limit', 'no free port');
    invite();
    const refusal = await pbx.response(503, 'INVITE');
    expect(refusal.get('Retry-After')).toBe('5');
    await eventually(() => scene.agent.legs === 0, 'leg over');
  });

  it('with a late offer gets ours, and is confirmed by the answer in the ACK', async () => {
    const { log, leg, ok } = await connected({ body: '' }, pbxAudio());
    expect(ok.body).toContain('m=audio 40000 RTP/AVP 8 0 101');
    await log.saw('confirmed');
    expect(scene.media.endpoints[0]?.log).toEqual(['offer', 'accept']);
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('with a late offer and no usable answer is hung up', async () => {
    const { log } = await connected({ body: '' }, pbxAudio({ formats: '18' }));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    expect((await log.saw('failed')).reason.code).toBe('no_codec');
    await log.saw('terminated');
    expect(log.types).toEqual(['failed', 'terminated']);
  });

  it.each([
    [endReason('busy'), 486, {}],
    [
      endReason('no_permission', { text: 'ask first', metaCode: 138006 }),
      403,
      { Warning: '399 sip2wa "138006 ask first"' },
    ],
    [endReason('limit', { retryAfterS: 30 }), 503, { 'Retry-After': '30' }],
    [endReason('upstream'), 503, { 'Retry-After': '5' }],
    [
      endReason('not_found', { text: 'bad "text"\r\nX-Evil: 1' }),
      404,
      { Reason: 'Q.850;cause=1;text="bad \\"text\\" X-Evil: 1"' },
    ],
    [endReason('internal', { sipStatus: 599 }), 500, {}],
  ])('rejected because of %o gets its status', async (reason, status, headers) => {
    const { leg, log } = await arrived();
    leg.reject(reason);
    const refusal = await pbx.response(status, 'INVITE');
    for (const [name, value] of Object.entries(headers)) expect(refusal.all(name)).toEqual([value]);
    expect(refusal.has('X-Evil')).toBe(false);
    await log.saw('terminated');
    expect(log.types).toEqual(['terminated']);
  });

  it('is cancelled while it rings', async () => {
    const { leg, log, request } = await arrived();
    leg.ring();
    await pbx.response(180, 'INVITE');
    pbx.send(cancelText(request), scene.address);
    await pbx.response(200, 'CANCEL');
    await pbx.response(487, 'INVITE');
    expect((await log.saw('cancelled')).reason).toMatchObject({ code: 'cancelled', sipStatus: 487 });
    await log.saw('terminated');
    leg.answer();
    leg.reject(endReason('busy'));
    expect(log.types).toEqual(['cancelled', 'terminated']);
  });

  it('is cancelled before it was announced', async () => {
    let open = (): void => undefined;
    scene.media.gate = new Promise((resolve) => (open = resolve));
    const request = invite();
    await eventually(() => scene.agent.legs === 1, 'leg made');
    pbx.send(cancelText(request), scene.address);
    await pbx.response(487, 'INVITE');
    // The SIP server answers before it tells.
    await eventually(() => scene.steps.includes('sip.cancel'), 'CANCEL heard of');
    open();
    await eventually(() => scene.agent.legs === 0, 'leg over');
    expect(scene.calls).toEqual([]);
  });

  it('keeps a cancel that outran the answer: one end, no ghost dialog', async () => {
    const { leg, log, request } = await arrived();
    pbx.send(cancelText(request), scene.address);
    await pbx.response(487, 'INVITE');
    leg.answer();
    await log.saw('cancelled');
    await log.saw('terminated');
    expect(log.types).toEqual(['cancelled', 'terminated']);
    expect(pbx.count((message) => message.status === 200 && message.get('CSeq').endsWith('INVITE'))).toBe(0);
  });

  it('hung up while the ACK is awaited gets its BYE after the ACK', async () => {
    const { leg, log, request } = await arrived();
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    leg.hangup(endReason('admin', { text: 'operator' }));
    expect(pbx.count((message) => message.method === 'BYE')).toBe(0);
    pbx.send(pbx.inDialog('ACK', request, ok, { cseq: 1 }), scene.address);
    const bye = await pbx.request('BYE');
    expect(bye.get('Reason')).toBe('Q.850;cause=16;text="operator"');
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(log.types).toEqual(['terminated']);
  });

  it('without ACK fails when the SIP server has given up', async () => {
    const { leg, log } = await arrived();
    leg.answer();
    const bye = await pbx.request('BYE', 6000);
    expect(bye.get('Reason')).toContain('ACK timeout');
    pbx.reply(bye, 200, 'OK', { noContact: true });
    expect((await log.saw('failed')).reason).toMatchObject({ code: 'unavailable', q850: 102, text: 'ACK timeout' });
    await log.saw('terminated');
    expect(log.types).toEqual(['failed', 'terminated']);
  });

  it('takes a BYE that comes together with the ACK', async () => {
    const { leg, log, request } = await arrived();
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    pbx.send(pbx.inDialog('ACK', request, ok, { cseq: 1 }), scene.address);
    pbx.send(pbx.inDialog('BYE', request, ok, { cseq: 2 }), scene.address);
    await pbx.response(200, 'BYE');
    await log.saw('terminated');
    expect(endsOnce(log.events)).toBe(true);
    expect(['confirmed', 'failed']).toContain(log.types[0]);
  });

  it('is put on hold and resumed by re-INVITE without a word to the other side', async () => {
    const { log, leg, request, ok } = await connected();
    await log.saw('confirmed');
    pbx.send(
      pbx.inDialog('INVITE', request, ok, { cseq: 2, body: pbxAudio({ attribute: 'sendonly' }) }),
      scene.address,
    );
    expect((await pbx.response(200, 'INVITE')).body).toContain('a=recvonly');
    pbx.send(pbx.inDialog('ACK', request, ok, { cseq: 2 }), scene.address);
    await log.saw('held');
    pbx.send(pbx.inDialog('INVITE', request, ok, { cseq: 3, body: pbxAudio() }), scene.address);
    expect((await pbx.response(200, 'INVITE')).body).toContain('a=sendrecv');
    pbx.send(pbx.inDialog('ACK', request, ok, { cseq: 3 }), scene.address);
    await log.saw('resumed');
    leg.hangup(endReason('hangup'));
    pbx.reply(await pbx.request('BYE'), 200, 'OK', { noContact: true });
    await log.saw('terminated');
  });

  it('loses nothing when two hang up at once', async () => {
    const { log, leg, request, ok } = await connected();
    await log.saw('confirmed');
    leg.hangup(endReason('hangup'));
    const bye = await pbx.request('BYE');
    pbx.send(pbx.inDialog('BYE', request, ok, { cseq: 2 }), scene.address);
    await pbx.next((message) => message.status !== undefined && message.get('CSeq') === '2 BYE', 'answer to our BYE');
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await log.saw('terminated');
    expect(endsOnce(log.events)).toBe(true);
  });
});

describe('an INVITE that cannot be served', () => {
  beforeEach(() => setUp());
  afterEach(async () => {
    expect(scene.calls).toEqual([]);
    expect(scene.media.endpoints).toEqual([]);
    await tearDown();
  });

  it.each<[string, number, (text: string) => string]>([
    ['no hop is left', 483, (text) => text.replace('Max-Forwards: 70', 'Max-Forwards: 0')],
    [
      'an extension is required',
      420,
      (text) => text.replace('Max-Forwards', 'Require: timer, precondition,100rel\r\nMax-Forwards'),
    ],
    ['the Request-URI has no user', 484, (text) => text.replace(/sip:\+\d+@/g, 'sip:')],
    ['the body is no SDP', 415, (text) => text.replace('application/sdp', 'text/plain')],
    ['a dialog header is huge', 400, (text) => text.replace('"Alice"', `"${'x'.repeat(2_000)}"`)],
    ['its SDP is huge', 513, (text) => withLongSdp(text, 9_000)],
  ])('is refused when %s', async (_what, status, edit) => {
    invite({ edit });
    const refusal = await pbx.response(status, 'INVITE');
    if (status === 420) expect(refusal.get('Unsupported')).toBe('precondition');
    if (status === 415) expect(refusal.get('Accept')).toBe('application/sdp, multipart/mixed');
  });

  it('is refused with 400 without Contact, whoever notices', async () => {
    invite({ edit: (text) => text.replace(/Contact: .*\r\n/, '') });
    await pbx.response(400, 'INVITE');
  });
});

describe('the list of sources', () => {
  afterEach(tearDown);

  it('gives a stranger 403 for everything, and one line of log', async () => {
    await setUp({ trunk: { acceptFrom: ['127.0.0.2/32'] } });
    for (const method of ['INVITE', 'OPTIONS', 'REGISTER']) {
      pbx.send(pbx.newRequest(method, scene.uri()), scene.address);
      await pbx.response(403, method);
    }
    expect(scene.calls).toEqual([]);
    expect(scene.logger.lines.filter(({ message }) => message.includes('unknown source'))).toHaveLength(1);
  });

  it('believes the transport only, not Via, From, Contact or X-Forwarded-For', async () => {
    await setUp({ trunk: { acceptFrom: ['127.0.0.2/32'] } });
    invite({
      headers: ['X-Forwarded-For: 127.0.0.2'],
      edit: (text) =>
        text
          .replaceAll(`127.0.0.1:${pbx.port}`, `127.0.0.2:${pbx.port}`)
          .replace(';branch', ';received=127.0.0.2;branch'),
    });
    await pbx.response(403, 'INVITE');
  });
});

describe('a stranger with huge headers', () => {
  afterEach(tearDown);

  // Longer lines the embedded server does not take at all.
  const long = 'x'.repeat(7_000);
  it.each<[string, (text: string) => string]>([
    ['From', (text) => text.replace('"Alice"', `"${long}"`)],
    ['To', (text) => text.replace('To: <', `To: "${long}" <`)],
    ['Call-ID', (text) => text.replace('Call-ID: ', `Call-ID: ${long}`)],
  ])('in %s is refused in a frame that a drachtio-server survives', async (_name, edit) => {
    await setUp({ trunk: { acceptFrom: [] } });
    const request = invite({ edit });
    const refusal = await pbx.response(403, 'INVITE');
    expect(refusal.get('Call-ID')).toBe(request.get('Call-ID'));
    expect(refusal.get('From')).toBe(request.get('From'));
    expect(scene.logger.lines.filter(({ message }) => /frame/.test(message))).toEqual([]);
  });
});

describe('a trusted source', () => {
  afterEach(tearDown);

  it('gets an OPTIONS answer that names what we do, and 405 for the rest', async () => {
    await setUp();
    pbx.send(pbx.newRequest('OPTIONS', scene.uri()), scene.address);
    const options = await pbx.response(200, 'OPTIONS');
    expect(options.get('Allow')).toBe('INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER');
    expect(options.get('Accept')).toBe('application/sdp, multipart/mixed');
    for (const method of ['REGISTER', 'MESSAGE', 'SUBSCRIBE']) {
      pbx.send(pbx.newRequest(method, scene.uri()), scene.address);
      expect((await pbx.response(405, method)).get('Allow')).toContain('INVITE');
    }
  });

  it('is refused beyond max_calls, and taken again after', async () => {
    await setUp({ trunk: { maxCalls: 1 } });
    const first = await arrived();
    invite();
    expect((await pbx.response(503, 'INVITE')).get('Retry-After')).toBe('10');
    first.leg.reject(endReason('busy'));
    await pbx.response(486, 'INVITE');
    await first.log.saw('terminated');
    invite();
    await eventually(() => scene.calls.length === 2, 'second call');
    scene.calls[1]?.leg.reject(endReason('busy'));
    await pbx.response(486, 'INVITE');
  });

  it('hears 482 when a call of ours comes back to us', async () => {
    await setUp();
    const { leg, log, call } = scene.outbound(scene.target(pbx));
    leg.dial();
    const outgoing = await pbx.request('INVITE');
    invite({ headers: [`X-CID: ${call}`] });
    await pbx.response(482, 'INVITE');
    pbx.reply(outgoing, 486, 'Busy Here', { toTag: 'x' });
    await log.saw('terminated');
  });

  it('hears 503 or nothing new while the agent closes, and its call is ended', async () => {
    await setUp();
    const { log, request } = await connected();
    await log.saw('confirmed');
    const closing = scene.agent.close();
    pbx.send(pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() }), scene.address);
    await pbx.response(503, 'INVITE');
    const bye = await pbx.request('BYE');
    expect(bye.get('Call-ID')).toBe(request.get('Call-ID'));
    pbx.reply(bye, 200, 'OK', { noContact: true });
    await closing;
    await log.saw('terminated');
    expect(scene.agent.ready).toBe(false);
  });
});
