import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PeerProcess, requireProgram } from '../support/peers/child.js';
import { malformed, tshark } from '../support/peers/tshark.js';
import { HepReceiver } from '../support/hep-reader.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';

const PORT = 19_060;

// What a whole daemon sends to a HEP receiver, taken by sngrep, which writes down the SIP in it as packets; tshark reads those.
describe('HEP3 packets, taken by sngrep', () => {
  let folder: string;
  let receiver: HepReceiver;
  let bridge: ScriptedBridge;

  beforeAll(() => {
    requireProgram('tshark');
    requireProgram('sngrep');
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-hep-'));
    receiver = await HepReceiver.start();
    const more = `hep: { address: "127.0.0.1:${receiver.port}", password: hep-password-9 }`;
    bridge = await ScriptedBridge.start({ more });
  });
  afterEach(async () => {
    await bridge.stop();
    receiver.close();
    rmSync(folder, { recursive: true });
  });

  /** The packets that sngrep wrote, as tshark sees them. */
  const rows = (filter: string, ...fields: string[]): Promise<string[][]> => {
    const decode = [bridge.sip.port, bridge.pbx.port].flatMap((port) => ['-d', `udp.port==${port},sip`]);
    return tshark(join(folder, 'sip.pcap'), decode, filter, ...fields);
  };

  /** Shows sngrep all that has come. */
  const show = async (): Promise<void> => {
    const file = join(folder, 'sip.pcap');
    const args = ['-F', '-N', '-L', `udp:127.0.0.1:${PORT}`, '-O', file];
    const sngrep = PeerProcess.start({ command: 'sngrep', args, cwd: folder });
    const socket = createSocket('udp4');
    await until(() => existsSync(file), 'sngrep', 10_000);
    for (const datagram of receiver.datagrams) socket.send(datagram, PORT, '127.0.0.1');
    await until(() => statSync(file).size > 2_000, 'packets of sngrep', 10_000);
    await sngrep.stop();
    socket.close();
  };

  it('hold SIP as it was, between whom it was and when, nothing malformed', async () => {
    const invite = bridge.pbxCalls();
    await bridge.step('graph.connect');
    bridge.pbxCancels(invite);
    const { sipCallIdA = '' } = await bridge.record();
    await receiver.have(1, ({ type }) => type === 101, 'records');
    await receiver.have(1, ({ payload }) => payload.startsWith('SIP/2.0 487'), '487');
    await show();
    expect(await rows(malformed, 'frame.number')).toEqual([]);
    const sip = (await rows('sip', 'sip.Method', 'sip.Status-Code', 'sip.CSeq.method')).map((row) => row.join(' '));
    for (const part of ['INVITE  INVITE', ' 100 INVITE', 'CANCEL  CANCEL', ' 200 CANCEL', ' 487 INVITE'])
      expect(sip).toContain(part);
    const ways = await rows('sip', 'ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport');
    const [us, pbx] = [bridge.sip.port, bridge.pbx.port].map((port) => ['127.0.0.1', String(port)]);
    expect(ways[0]).toEqual([...(pbx ?? []), ...(us ?? [])]);
    expect(ways[1]).toEqual([...(us ?? []), ...(pbx ?? [])]);
    const times = (await rows('sip', 'frame.time_epoch')).map(([time]) => Number(time) * 1000);
    for (const time of times) expect(Math.abs(time - Date.now())).toBeLessThan(60_000);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect((await rows('sip', 'sip.Call-ID')).flat()).toEqual(times.map(() => sipCallIdA));
  });
});
