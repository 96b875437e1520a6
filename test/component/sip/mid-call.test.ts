import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drachtioBinary } from '../../support/drachtio-server.js';
import { eventually } from '../../support/eventually.js';
import { pbxAudio, StandingCall } from '../../support/standing-call.js';

const placed = ['us', 'them'].flatMap((caller) =>
  (drachtioBinary === undefined ? [false] : [false, true]).map((onDrachtio) => ({
    caller: caller as 'us' | 'them',
    onDrachtio,
  })),
);

describe.each(placed)('in a call placed by $caller, on a drachtio-server: $onDrachtio', ({ caller, onDrachtio }) => {
  let call: StandingCall;

  beforeEach(async () => {
    call = await StandingCall.by(caller, { onDrachtio });
  });
  // Whatever was asked, the call stands until the PBX hangs up.
  afterEach(async () => {
    await call.end();
    expect(call.scene.agent.legs).toBe(0);
    expect(call.scene.media.open).toBe(0);
  });

  it.each<[string, string, string]>([
    ['sendonly', pbxAudio({ attribute: 'sendonly' }), 'a=recvonly'],
    ['inactive', pbxAudio({ attribute: 'inactive' }), 'a=inactive'],
    ['0.0.0.0', pbxAudio({ host: '0.0.0.0' }), 'm=audio'],
  ])('hold by %s, told by re-INVITE or UPDATE, is answered and reported once', async (_form, hold, answered) => {
    expect((await call.answerTo('INVITE', 200, { body: hold })).body).toContain(answered);
    await call.log.saw('held');
    // Refreshed while it lasts: no news.
    await call.answerTo('UPDATE', 200, { body: hold });
    const resumed = await call.answerTo('UPDATE', 200, { body: pbxAudio({ port: 30_002 }) });
    expect(resumed.body).toContain('a=sendrecv');
    expect(resumed.all('Contact')).toHaveLength(1);
    await call.log.saw('resumed');
    expect(call.log.types.filter((type) => type === 'held' || type === 'resumed')).toEqual(['held', 'resumed']);
  });

  it('a re-INVITE without description gets ours, its answer comes in the ACK', async () => {
    const offer = await call.answerTo('INVITE', 200, { ack: pbxAudio({ attribute: 'sendonly' }) });
    expect(offer.body).toContain('m=audio 40000 RTP/AVP 8 0 101');
    await call.log.saw('held');
    expect(call.media).toEqual(['offer', 'accept']);
  });

  it.each([
    ['no answer', '', ['offer']],
    ['an answer without a codec of ours', pbxAudio({ formats: '18' }), ['offer', 'accept failed']],
    ['an answer that is no SDP', 'nonsense', ['offer', 'accept failed']],
  ])('a re-INVITE without description, and %s in its ACK, leaves the session as it was', async (_what, ack, asked) => {
    await call.answerTo('INVITE', 200, { ack });
    await eventually(() => call.scene.logger.text().includes('the old session stays'), 'warning');
    expect(call.media).toEqual(asked);
    // Nothing is left waiting.
    await call.answerTo('INVITE', 200, { body: pbxAudio() });
  });

  it('an ACK of an earlier INVITE that comes once more is not the answer to our offer', async () => {
    const cseq = call.ask('INVITE');
    await call.answer(200, 'INVITE', cseq);
    call.ask('ACK', { cseq: 1 });
    call.ask('ACK', { cseq, body: pbxAudio() });
    await eventually(() => call.media.length === 2, 'answer taken');
    expect(call.media).toEqual(['offer', 'accept']);
  });

  it('an offer while ours waits for its answer gets 491', async () => {
    const cseq = call.ask('INVITE');
    await call.answer(200, 'INVITE', cseq);
    await call.answerTo('UPDATE', 491, { body: pbxAudio({ port: 30_004 }) });
    call.ask('ACK', { cseq, body: pbxAudio() });
    await eventually(() => call.media.length === 2, 'answer taken');
    expect(call.media).toEqual(['offer', 'accept']);
    await call.answerTo('UPDATE', 200, { body: pbxAudio({ port: 30_004 }) });
  });

  it('an offer while another is worked on gets 500 and a time', async () => {
    let open = (): void => undefined;
    call.scene.media.endpoints[0]!.answerGate = new Promise((resolve) => (open = resolve));
    const first = call.ask('UPDATE', { body: pbxAudio({ port: 30_004 }) });
    const refused = await call.answerTo('UPDATE', 500, { body: pbxAudio({ port: 30_006 }) });
    expect(Number(refused.get('Retry-After'))).toBeLessThanOrEqual(10);
    const crossed = await call.answerTo('INVITE', 500, { body: pbxAudio({ port: 30_006 }) });
    expect(Number(crossed.get('Retry-After'))).toBeLessThanOrEqual(10);
    open();
    await call.answer(200, 'UPDATE', first);
    expect(call.media).toEqual(['answer']);
  });

  it('an UPDATE without description is a refresh', async () => {
    const ok = await call.answerTo('UPDATE', 200);
    expect([ok.body, ok.all('Contact').length]).toEqual(['', 1]);
    expect(call.media).toEqual([]);
  });

  it('a description that cannot be had is refused, and the session stays', async () => {
    for (const method of ['INVITE', 'UPDATE']) {
      const refused = await call.answerTo(method, 488, { body: pbxAudio({ formats: '18' }) });
      expect(refused.get('Warning')).toBe('305 sip2wa "supported: PCMA PCMU"');
      expect(refused.get('Reason')).toMatch(/^Q\.850;cause=/);
    }
    await call.answerTo('INVITE', 200, { body: pbxAudio() });
  });

  it.each([
    ['INVITE', 415, { body: 'x', type: 'text/plain' }, ['Accept', 'application/sdp, multipart/mixed']],
    ['UPDATE', 415, { body: 'x', type: 'application/pidf+xml' }, ['Accept', 'application/sdp, multipart/mixed']],
    ['INVITE', 513, { body: `${pbxAudio()}a=x-${'x'.repeat(9_000)}\r\n` }, undefined],
    ['INVITE', 420, { body: pbxAudio(), headers: ['Require: precondition, timer'] }, ['Unsupported', 'precondition']],
    ['UPDATE', 420, { headers: ['Require: foo'] }, ['Unsupported', 'foo']],
    ['INFO', 420, { headers: ['Require: foo'] }, ['Unsupported', 'foo']],
    [
      'INFO',
      415,
      { body: 'x', type: 'application/media_control+xml' },
      ['Accept', 'application/dtmf-relay, application/dtmf'],
    ],
    ['INFO', 469, { body: 'x', type: 'application/x', headers: ['Info-Package: g.3gpp.mid-call'] }, ['Recv-Info', '']],
    ['OPTIONS', 200, {}, ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER']],
    [
      'MESSAGE',
      405,
      { body: 'x', type: 'text/plain' },
      ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER'],
    ],
    ['FROBNICATE', 501, {}, undefined],
  ] as const)('%s gets %i', async (method, status, options, header) => {
    // What is too large is a drachtio-server's to refuse, as bad.
    const answer = await call.answerTo(method, onDrachtio && status === 513 ? 400 : status, options);
    if (header) expect(answer.get(header[0])).toBe(header[1]);
    expect(call.media).toEqual([]);
  });

  it('keys come by INFO in both forms, an empty INFO is a sign of life', async () => {
    await call.answerTo('INFO', 200, { body: 'Signal=11\r\nDuration=200\r\n', type: 'application/dtmf-relay' });
    expect(await call.log.saw('dtmf')).toEqual({ type: 'dtmf', digit: '#', durationMs: 200 });
    await call.answerTo('INFO', 200, { body: '7', type: 'application/dtmf' });
    await call.answerTo('INFO', 200);
    expect(call.log.events.filter(({ type }) => type === 'dtmf')).toHaveLength(2);
  });

  it('keys for the PBX go to it by INFO, one after the other, in dtmf-relay until it says that it knows none', async () => {
    const [endpoint] = call.scene.media.endpoints;
    endpoint?.say({ type: 'dtmf', digit: '5', durationMs: 160 });
    endpoint?.say({ type: 'dtmf', digit: '#', durationMs: 300 });
    const first = await call.pbx.request('INFO');
    expect([first.get('Content-Type'), first.body]).toEqual(['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n']);
    call.pbx.reply(first, 415, 'Unsupported Media Type');
    for (const digit of ['5', '#']) {
      const info = await call.pbx.request('INFO');
      expect([info.get('Content-Type'), info.body]).toEqual(['application/dtmf', digit]);
      call.pbx.reply(info, 200, 'OK');
    }
  });

  // A drachtio-server passes it on.
  it.skipIf(onDrachtio)('a request out of order gets 500 and changes nothing', async () => {
    await call.answerTo('INVITE', 200, { body: pbxAudio({ attribute: 'sendonly' }), cseq: 20 });
    await call.log.saw('held');
    await call.answerTo('UPDATE', 500, { body: pbxAudio(), cseq: 19 });
    expect(call.log.types).not.toContain('resumed');
    await call.answerTo('UPDATE', 200, { body: pbxAudio(), cseq: 21 });
    await call.log.saw('resumed');
  });
});
