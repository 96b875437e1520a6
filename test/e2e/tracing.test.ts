import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import { traceIdOf } from '../../src/observability/tracing/call-traces.js';
import { metaError } from '../support/graph-double.js';
import { OtlpCollector, type SeenSpan } from '../support/otlp-collector.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { APP_SECRET, BUSINESS, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const ID = 'wacid.double-1';
const OTLP_TOKEN = 'token-of-the-collector';
const [UNSET, ERROR] = [0, 2];

describe('a trace of each call at an OpenTelemetry collector', () => {
  let collector: OtlpCollector;
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let logger: RecordingLogger;
  beforeEach(async () => {
    phone = new WrtcPeer();
    logger = new RecordingLogger();
    collector = await OtlpCollector.start();
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
    await collector.close();
  });

  const start = async (more = ''): Promise<void> => {
    const tracing = `tracing: { otlp_url: "${collector.url}", headers: "authorization=Bearer%20${OTLP_TOKEN}"${more} }`;
    bridge = await ScriptedBridge.start({ more: tracing, logger });
  };

  /** The spans of the one call that there was, with its record. */
  const traced = async (): Promise<{ record: CallRecord; spans: SeenSpan[]; root: SeenSpan }> => {
    const record = await bridge.record();
    const [root] = await collector.roots(1);
    const { spans } = collector;
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(record.call)]));
    expect(spans.filter(({ parentId }) => parentId === undefined)).toHaveLength(1);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    for (const { name, parentId, startMs, endMs } of spans) {
      const parent = parentId === undefined ? root! : byId.get(parentId);
      expect([name, startMs >= parent!.startMs, endMs <= parent!.endMs]).toEqual([name, true, true]);
    }
    expect([root!.startMs, root!.endMs]).toEqual([Date.parse(record.start), Date.parse(record.end)]);
    return { record, spans, root: root! };
  };
  const named = (name: string): SeenSpan => {
    const found = collector.spans.filter((span) => span.name === name);
    expect([name, found.length]).toEqual([name, 1]);
    return found[0]!;
  };

  async function userCall(): Promise<PeerMessage> {
    await bridge.deliver(bridge.userConnect('wacid.user', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.step('sip.ringing');
    await bridge.step('graph.pre_accept');
    const actions = bridge.graph.seen.find(({ body }) => body['action'] === 'pre_accept');
    await phone.accept((actions?.body['session'] as { sdp: string }).sdp);
    await bridge.step('dtls.connected');
    return invite;
  }

  it('a user calls and talks: both sides, with the times of the record', async () => {
    await start();
    const invite = await userCall();
    await bridge.pbxPicksUp(invite);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    const { record, root, spans } = await traced();
    expect(new Set(spans.map(({ name }) => name))).toEqual(
      new Set([
        ...['call', 'route', 'graph pre_accept', 'sip invite', 'dial', 'ring', 'answer', 'media set-up', 'ice', 'dtls'],
        ...['graph accept', 'bridged', 'hang-up', 'graph terminate'],
      ]),
    );
    expect(root.attributes).toMatchObject({
      ...{
        'sip2wa.call': record.call,
        'sip2wa.direction': 'user_initiated',
        'sip2wa.number': 'sales',
        'sip2wa.trunk': 'pbx',
      },
      ...{ 'sip2wa.code': 'hangup', 'sip2wa.wa_call_id': 'wacid.user', 'sip2wa.sip_call_id_b': invite.get('Call-ID') },
      'sip2wa.user': `…${USER.slice(-4)}`,
    });
    expect(root.status.code).toBe(UNSET);
    expect(named('bridged').startMs - Date.parse(record.answer ?? '')).toBeLessThanOrEqual(1);
    expect(named('media set-up').attributes).toMatchObject({ 'sip2wa.connected': true });
    expect(named('graph terminate').parentId).toBe(named('hang-up').spanId);
  });

  it('the PBX calls a user, who answers', async () => {
    await start();
    const request = bridge.pbxCalls();
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(ID, await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status(ID, 'RINGING'));
    await bridge.pbx.response(180, 'INVITE');
    await bridge.step('dtls.connected');
    await bridge.deliver(bridge.status(ID, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
    await bridge.deliver(bridge.terminate(ID, 'BUSINESS_INITIATED', { start_time: '1', end_time: '4', duration: 3 }));
    bridge.pbx.reply(await bridge.pbx.request('BYE'), 200, 'OK');
    const { root, spans } = await traced();
    expect(root.attributes).toMatchObject({ 'sip2wa.direction': 'business_initiated', 'sip2wa.wa_call_id': ID });
    expect(root.status.code).toBe(UNSET);
    const parentOf = (name: string): string | undefined =>
      spans.find(({ spanId }) => spanId === named(name).parentId)?.name;
    expect(['graph connect', 'whatsapp dial', 'sip invite', 'media set-up', 'bridged'].map(parentOf)).toEqual([
      ...['whatsapp dial', 'call', 'call', 'call', 'call'],
    ]);
    expect(spans.filter(({ name }) => name === 'ring')).toHaveLength(2);
    expect(root.events).toEqual(expect.arrayContaining(['webhook.ringing', 'webhook.accepted', 'webhook.terminate']));
  });

  it('a call that the PBX refuses has the status of an error, and so has its INVITE', async () => {
    await start();
    await bridge.deliver(bridge.userConnect('wacid.busy', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'p1' });
    const { root } = await traced();
    expect(root).toMatchObject({ status: { code: ERROR, message: 'busy' }, attributes: { 'error.type': 'busy' } });
    expect(named('sip invite')).toMatchObject({ status: { code: ERROR }, attributes: { 'sip2wa.sip_status': 486 } });
  });

  it('a call that Meta refuses, too', async () => {
    await start();
    bridge.graph.replies(metaError(400, 138006, 'No approved call permission'));
    bridge.pbxCalls();
    const { record, root } = await traced();
    expect(root.status).toEqual({ code: ERROR, message: record.code });
    expect(named('graph connect').status).toEqual({ code: ERROR, message: '138006' });
    expect(named('sip invite').status).toEqual({ code: ERROR, message: String(record.sipStatus) });
  });

  it('no secret and no whole number goes to the collector, and its own secret into no log', async () => {
    await start();
    const invite = await userCall();
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    await traced();
    const sent = collector.requests.map(({ text }) => text).join('\n');
    expect(sent.length).toBeGreaterThan(1_000);
    for (const hidden of [USER, BUSINESS, APP_SECRET, 'token-of-the-test', 'verify-of-the-test', OTLP_TOKEN]) {
      expect(sent).not.toContain(hidden);
    }
    expect(collector.requests[0]?.headers.authorization).toBe(`Bearer ${OTLP_TOKEN}`);
    expect(logger.text()).not.toContain(OTLP_TOKEN);
  });

  it('what the daemon had not sent when it stops is sent then', async () => {
    await start();
    await userCall();
    await bridge.stop();
    expect(await collector.roots(1)).toMatchObject([{ status: { code: ERROR, message: 'shutdown' } }]);
    bridge = await ScriptedBridge.start();
  });

  it('a collector that is gone costs no call and is counted', async () => {
    const { url } = collector;
    await collector.close();
    collector = await OtlpCollector.start();
    bridge = await ScriptedBridge.start({ more: `tracing: { otlp_url: "${url}" }`, logger });
    await bridge.deliver(bridge.userConnect('wacid.busy', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'p1' });
    expect(await bridge.record()).toMatchObject({ code: 'busy' });
    const lost = async (): Promise<string | undefined> => {
      const { text } = await bridge.daemon.metrics.read();
      return /^sip2wa_tracing_dropped_total\{reason="export_failed"\} (\d+)$/m.exec(text)?.[1];
    };
    await until(async () => (await lost()) === '1', 'the loss', 20_000);
    expect(logger.lines.filter(({ message }) => message === 'traces cannot be sent')).toHaveLength(1);
  });

  it('none is made of calls that are not chosen', async () => {
    await start(', sample_ratio: 0');
    await bridge.deliver(bridge.userConnect('wacid.busy', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'p1' });
    await bridge.record();
    await bridge.stop();
    expect(collector.requests).toEqual([]);
    bridge = await ScriptedBridge.start();
  });
});
