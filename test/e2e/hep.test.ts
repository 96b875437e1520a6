import { afterEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import { createLogger } from '../../src/observability/logger.js';
import { boundSocket } from '../support/bound-socket.js';
import { HepReceiver, type ReadHep } from '../support/hep-reader.js';
import { Lines } from '../support/lines.js';
import { BUSINESS, pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const SECRET = 'hep-password-of-the-test';
const firstLine = ({ payload }: ReadHep): string => payload.split('\r\n', 1)[0] ?? '';

describe('the HEP feed of a running daemon', () => {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const start = async (address: string): Promise<{ bridge: ScriptedBridge; log: Lines }> => {
    const log = new Lines();
    const logger = createLogger({ level: 'info', format: 'json', stream: log });
    const more = `hep: { address: "${address}", capture_id: 77, password: ${SECRET} }`;
    const bridge = await ScriptedBridge.start({ logger, lines: logger, more });
    stops.push(() => bridge.stop());
    return { bridge, log };
  };

  /** A user's call with audio from both sides, hung up by the PBX. */
  const call = async (bridge: ScriptedBridge): Promise<CallRecord> => {
    const phone = new WrtcPeer();
    const rtp = await boundSocket();
    stops.push(
      () => phone.close(),
      () => rtp.close(),
    );
    await bridge.deliver(bridge.userConnect('wacid.hep', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
    // the 200 again, as if the ACK had been lost: what is repeated is on the wire, too
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(rtp.address().port) });
    await bridge.pbx.request('ACK');
    await until(() => bridge.graph.seen.length >= 2, 'accept', 10_000);
    await phone.accept(bridge.session().sdp);
    await phone.reaches('connected');
    await new Promise<void>((resolve) => rtp.once('message', () => resolve()));
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    return bridge.record();
  };

  it('SIP of both directions, RTCP, log lines and the record arrive under one correlation id', async () => {
    const receiver = await HepReceiver.start();
    stops.push(() => receiver.close());
    const { bridge, log } = await start(`127.0.0.1:${receiver.port}`);
    const record = await call(bridge);
    const isOfCall = ({ correlationId }: ReadHep): boolean => correlationId === record.sipCallIdB;
    const [cdr] = await receiver.have(1, ({ type }) => type === 101, 'records');
    const isLast = (packet: ReadHep): boolean =>
      packet.type === 1 && /^SIP\/2.0 200[^]*CSeq: \d+ BYE/.test(packet.payload);
    await receiver.have(1, (packet) => isOfCall(packet) && isLast(packet), 'ends');
    const ours = receiver.packets.filter(isOfCall);
    expect(new Set(ours.map(({ type }) => type))).toEqual(new Set([1, 5, 100, 101]));
    expect(receiver.packets.filter((packet) => !isOfCall(packet) && packet.payload.includes(record.call))).toEqual([]);

    const sip = ours.filter(({ type }) => type === 1);
    const port = bridge.sip.port;
    const seen = sip.map(
      (packet) => `${packet.fromPort === port ? 'out' : 'in'} ${firstLine(packet).replace(/ sip:.*/, '')}`,
    );
    expect(seen).toEqual([
      ...['out INVITE', 'in SIP/2.0 200 OK', 'out ACK', 'in SIP/2.0 200 OK', 'out ACK'],
      ...['in BYE', 'out SIP/2.0 200 OK'],
    ]);
    for (const { from, to, fromPort, toPort } of sip) {
      expect([from, to]).toEqual(['127.0.0.1', '127.0.0.1']);
      expect(new Set([fromPort, toPort])).toEqual(new Set([port, bridge.pbx.port]));
    }
    const times = sip.map(({ atUs }) => atUs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);

    const lines = log.lines.filter((line) => line.includes(`"call":"${record.call}"`));
    const sent = ours.filter(({ type }) => type === 100).map(({ payload }) => payload);
    expect(lines.length).toBeGreaterThan(8);
    expect(sent).toEqual(lines);
    expect(JSON.parse(cdr?.payload ?? '')).toMatchObject({
      call: record.call,
      sipCallIdB: record.sipCallIdB,
      code: record.code,
    });
    const rtcp = ours.filter(({ type }) => type === 5);
    expect(JSON.parse(rtcp[0]?.payload ?? '')).toMatchObject({ type: 200, report_count: 1 });

    for (const { captureId, password } of receiver.packets) expect([captureId, password]).toEqual([77, SECRET]);
    const told = ours.filter(({ type }) => type !== 1).map(({ payload }) => payload);
    for (const number of [USER, BUSINESS]) expect(told.filter((text) => text.includes(number))).toEqual([]);
    expect(log.text).not.toContain(SECRET);
    const { text } = await bridge.daemon.metrics.read();
    expect(text).toMatch(/^sip2wa_hep_dropped_total 0$/m);
  });

  const signalled = (receiver: HepReceiver, id: string | undefined, line: string): Promise<ReadHep[]> =>
    receiver.have(1, (packet) => packet.correlationId === id && firstLine(packet).startsWith(line), line);

  it('what the SIP server makes by itself is there: its 100, and the ACK of a refusal', async () => {
    const receiver = await HepReceiver.start();
    stops.push(() => receiver.close());
    const { bridge } = await start(`127.0.0.1:${receiver.port}`);
    const phone = new WrtcPeer();
    stops.push(() => phone.close());
    await bridge.deliver(bridge.userConnect('wacid.busy', await phone.offer()));
    bridge.pbx.reply(await bridge.pbx.request('INVITE'), 486, 'Busy Here', { toTag: 'b' });
    const { sipCallIdB } = await bridge.record();
    const [ack] = await signalled(receiver, sipCallIdB, 'ACK');
    expect(ack).toMatchObject({ fromPort: bridge.sip.port, toPort: bridge.pbx.port });

    const invite = bridge.pbxCalls();
    bridge.pbx.send(invite.raw, bridge.sip);
    await bridge.step('graph.connect');
    bridge.pbxCancels(invite);
    const { sipCallIdA, call } = await bridge.record(1);
    expect(sipCallIdA).toBe(invite.get('Call-ID'));
    for (const line of ['SIP/2.0 100 Trying', 'CANCEL', 'SIP/2.0 200 OK', 'SIP/2.0 487'])
      await signalled(receiver, sipCallIdA, line);
    await receiver.have(
      2,
      (packet) => packet.correlationId === sipCallIdA && firstLine(packet).startsWith('INVITE'),
      'INVITEs',
    );
    await receiver.have(1, (packet) => packet.type === 101 && packet.correlationId === sipCallIdA, `record of ${call}`);
  });

  it('a receiver that is not there harms nothing', async () => {
    const receiver = await HepReceiver.start();
    const { port } = receiver;
    receiver.close();
    const { bridge, log } = await start(`127.0.0.1:${port}`);
    const record = await call(bridge);
    expect(record).toMatchObject({ result: 'success', code: 'hangup' });
    const dropped = async (): Promise<number> => {
      const { text } = await bridge.daemon.metrics.read();
      return Number(/^sip2wa_hep_dropped_total (\d+)$/m.exec(text)?.[1]);
    };
    await until(async () => (await dropped()) > 0, 'losses', 5_000);
    expect(log.lines.filter((line) => line.includes('HEP packets do not get there'))).toHaveLength(1);
  });
});
