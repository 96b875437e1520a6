import { beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../../src/call/call-record.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import type { CallId } from '../../../../src/lib/ids.js';
import { HepFeed, type HepFeedOptions } from '../../../../src/observability/hep/hep-feed.js';
import { HepLosses } from '../../../../src/observability/hep/hep-losses.js';
import { Redaction } from '../../../../src/observability/redaction.js';
import { readHep, type ReadHep } from '../../../support/hep-reader.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const call = '01J000000000000000000000AA' as CallId;
const pbx = { address: '10.0.0.9', port: 5060 };
const us = { address: '10.0.0.1', port: 5070 };
const sip = (sipCallId: string, more: object = {}) => ({
  ...{ sipCallId, isOutgoing: true, transport: 'udp', remote: pbx, local: us },
  text: `INVITE sip:600@10.0.0.9 SIP/2.0\r\nCall-ID: ${sipCallId}\r\n\r\n`,
  ...more,
});
const record = {
  ...{ version: 1, call, direction: 'user_initiated', user: '+4915112345678', start: 's', end: 'e', durationMs: 1 },
  ...{ billsecMs: 0, endedBy: 'user', code: 'ok', sipStatus: 200, q850: 16, result: 'success' },
} as unknown as CallRecord;

describe('what goes to a HEP receiver', () => {
  let clock: FakeClock;
  let sent: ReadHep[];
  let link: { local: typeof us; hasRoom: boolean; send: (packet: Buffer) => void; close: () => Promise<void> };
  let losses: HepLosses;
  let isClosed: boolean;
  let feed: HepFeed;

  const start = (more: Partial<HepFeedOptions> = {}): HepFeed =>
    new HepFeed({
      ...{ link, losses, captureId: 7, password: '', sendsSip: true, redaction: new Redaction(), clock },
      nowUs: () => clock.now() * 1000,
      ...more,
    });
  const ids = (): (string | undefined)[] => sent.map(({ correlationId }) => correlationId);

  beforeEach(() => {
    clock = new FakeClock();
    [sent, isClosed] = [[], false];
    link = {
      ...{ local: { address: '127.0.0.1', port: 40_000 }, hasRoom: true },
      send: (packet) => void sent.push(readHep(packet)),
      close: () => Promise.resolve(void (isClosed = true)),
    };
    losses = new HepLosses(clock, new RecordingLogger());
    feed = start();
  });

  it('SIP, RTCP, log and record of a call have one id: its first Call-ID, also what was told before it was known', () => {
    const at = clock.now();
    feed.line(call, '{"msg":"webhook.connect"}');
    feed.seen(sip('first@us'));
    feed.belongs('first@us', call);
    feed.seen(sip('second@us'));
    clock.advance(50);
    feed.belongs('second@us', call);
    feed.quality({
      ...{ call, side: 'pbx' },
      report: { codec: 'PCMA', intervalMs: 5000, received: { packets: 250 }, sent: { packets: 250 } },
    });
    feed.record(record);
    expect(sent).toEqual([]);
    clock.advance(50);
    expect(sent.map(({ type }) => type)).toEqual([100, 1, 1, 5, 101]);
    expect(new Set(ids())).toEqual(new Set(['first@us']));
    expect(sent[1]).toMatchObject({ from: us.address, fromPort: 5070, to: pbx.address, captureId: 7, protocol: 17 });
    expect(sent.map(({ atUs }) => atUs / 1000 - at)).toEqual([0, 0, 0, 50, 50]);
    expect([sent[0]?.from, sent[0]?.to]).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('both ways: what came in comes from the far end, and TCP and TLS are TCP', () => {
    feed.seen(sip('a', { isOutgoing: false, transport: 'tls' }));
    clock.advance(300);
    expect(sent[0]).toMatchObject({ from: pbx.address, to: us.address, toPort: 5070, protocol: 6 });
  });

  it('SIP of no call goes by its own Call-ID once nobody can claim it any more', () => {
    feed.seen(sip('options@us'));
    clock.advance(100);
    expect(sent).toEqual([]);
    clock.advance(100);
    expect(ids()).toEqual(['options@us']);
  });

  it('a call that has no dialog for long, and one that ends without, go by their own id for good', () => {
    feed.line(call, 'a');
    clock.advance(4_900);
    expect(sent).toEqual([]);
    clock.advance(200);
    expect(ids()).toEqual([call]);
    feed.belongs('late@us', call);
    feed.seen(sip('late@us'));
    const other = '01J000000000000000000000BB' as CallId;
    feed.line(other, 'b');
    feed.record({ ...record, call: other });
    clock.advance(100);
    expect(ids()).toEqual([call, call, other, other]);
  });

  it('a record names dialogs that nobody claimed', () => {
    feed.record({ ...record, sipCallIdB: 'b@us', sipCallIdA: 'a@pbx' });
    clock.advance(100);
    expect(ids()).toEqual(['a@pbx']);
  });

  it('keys and credentials are crossed out, and numbers of a record cut as in the log', () => {
    const secrets = 'Authorization: Digest response="d3adb33f"\r\n\r\na=crypto:1 X inline:S3cretKey\r\n';
    feed.seen(sip('a', { text: `BYE sip:x SIP/2.0\r\nCall-ID: a\r\n${secrets}` }));
    feed.record(record);
    clock.advance(300);
    const all = sent.map(({ payload }) => payload).join('\n');
    expect(all).not.toMatch(/d3adb33f|S3cretKey|4915112345678/);
    expect(JSON.parse(sent.find(({ type }) => type === 101)?.payload ?? '')).toMatchObject({ call, user: '…5678' });
  });

  it('with a drachtio-server SIP is not sent, and still tells whose Call-ID it is and where audio goes', () => {
    feed = start({ sendsSip: false });
    feed.belongs('a', call);
    const sdp = '\r\nv=0\r\nc=IN IP4 10.0.0.9\r\nm=audio 4000 RTP/AVP 8\r\n';
    feed.seen(sip('a', { isOutgoing: false, text: `SIP/2.0 200 OK\r\nCall-ID: a\r\n${sdp}` }));
    clock.advance(100);
    const report = { codec: 'PCMA', intervalMs: 5000, received: { packets: 250 }, sent: { packets: 250 } };
    feed.quality({ call, side: 'pbx', report });
    clock.advance(100);
    expect(sent).toMatchObject([{ type: 5, correlationId: 'a', to: '10.0.0.9', toPort: 4_001 }]);
  });

  it('has a queue with two bounds: what finds no room is counted, and what waits goes out once there is a way', () => {
    feed = start({ limits: { packets: 3, characters: 100 } });
    link.hasRoom = false;
    feed.belongs('a', call);
    for (const text of ['1', '2', '3', '4']) feed.line(call, text);
    clock.advance(60_000);
    expect([sent.length, losses.total]).toEqual([0, 1]);
    link.hasRoom = true;
    clock.advance(100);
    expect(sent.map(({ payload }) => payload)).toEqual(['1', '2', '3']);
    feed.line(call, 'x'.repeat(100));
    feed.line(call, 'y');
    expect(losses.total).toBe(2);
    clock.advance(100);
    feed.line(call, 'z');
    clock.advance(100);
    expect(sent.map(({ payload }) => payload.slice(0, 1))).toEqual(['1', '2', '3', 'x', 'z']);
  });

  it('sends many in batches, in their order', () => {
    feed.belongs('a', call);
    for (let index = 0; index < 450; index++) feed.line(call, String(index));
    const after = [100, 5, 5].map((ms) => {
      clock.advance(ms);
      return sent.length;
    });
    expect(after).toEqual([200, 400, 450]);
    expect(sent.map(({ payload }) => Number(payload))).toEqual([...Array(450).keys()]);
  });

  it('counts what is longer than a datagram', () => {
    feed.belongs('a', call);
    feed.line(call, 'x'.repeat(65_500));
    clock.advance(100);
    expect([sent.length, losses.total]).toEqual([0, 1]);
  });

  it('sends what waits when it is closed, and takes nothing more', async () => {
    feed.line(call, 'last');
    feed.seen(sip('nobody'));
    await feed.close();
    expect([ids(), isClosed]).toEqual([[call, 'nobody'], true]);
    feed.line(call, 'later');
    clock.advance(60_000);
    expect(sent).toHaveLength(2);
  });
});
