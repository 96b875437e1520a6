import type { Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConsoleIo } from '../../src/cli/console-io.js';
import { runCli } from '../../src/cli/program.js';
import { boundSocket } from '../support/bound-socket.js';
import { CapturedConsole, saidBy } from '../support/captured-console.js';
import { pbxSdp, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { requireProgram } from '../support/peers/child.js';
import { malformed, tshark } from '../support/peers/tshark.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

/** What `Decode As` is to somebody in front of Wireshark: the audio of WhatsApp is in no SDP of the file. */
const HEURISTICS = ['--enable-heuristic', 'rtp_udp', '--enable-heuristic', 'rtcp_udp'];

const rows = (file: string, filter: string, ...fields: string[]): Promise<string[][]> =>
  tshark(file, HEURISTICS, filter, ...fields);

// A whole call between libwebrtc and a PBX by script, and what tshark reads in the file that `call trace --pcap` wrote of it.
describe.each([0, 1])('call trace --pcap, read by tshark (%i media workers)', (workers) => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  let folder: string;

  beforeAll(() => requireProgram('tshark'));
  beforeEach(async () => {
    phone = new WrtcPeer();
    rtp = await boundSocket();
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-pcap-'));
    bridge = await ScriptedBridge.start({ workers });
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
    rmSync(folder, { recursive: true });
  });

  const trace = async (id: string, ...more: string[]) => {
    const { host, port } = bridge.daemon.addresses.admin;
    const env = { SIP2WA_CONFIG: bridge.configFile, SIP2WA_ADMIN_LISTEN: `${host}:${port}` };
    const file = join(folder, 'call.pcapng');
    const run = (io: ConsoleIo) => runCli(['call', 'trace', id, '--pcap', file, ...more], io);
    return { ...(await saidBy(run, new CapturedConsole(env))), file };
  };

  /** A call with audio from both sides. */
  const talking = async (): Promise<PeerMessage> => {
    await bridge.deliver(bridge.userConnect('wacid.pcap', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    const heard = new Promise<void>((resolve) => rtp.once('message', () => resolve()));
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    const answer = { toTag: 'p1', body: pbxSdp(rtp.address().port) };
    bridge.pbx.reply(invite, 200, 'OK', answer);
    await bridge.pbx.request('ACK');
    // as if the ACK had been lost: the server repeats it by itself
    bridge.pbx.reply(invite, 200, 'OK', answer);
    await bridge.pbx.request('ACK');
    await until(() => bridge.graph.seen.length >= 2, 'accept', 10_000);
    const session = bridge.session();
    phone.play();
    await phone.accept(session.sdp);
    await phone.reaches('connected');
    await heard;
    // The PBX answers each packet of ours with one of its own.
    let sequence = 0;
    rtp.on('message', (_, { port, address }) => {
      const packet = Buffer.alloc(172, 0xd5);
      packet.writeUInt16BE(0x8008, 0);
      packet.writeUInt16BE(sequence, 2);
      packet.writeUInt32BE(160 * sequence++, 4);
      packet.writeUInt32BE(77, 8);
      rtp.send(packet, port, address);
    });
    return invite;
  };

  const hangUp = async (invite: PeerMessage): Promise<void> => {
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    await bridge.record();
  };

  it('a live call: SIP, and decoded audio of both sides in both directions, nothing malformed', async () => {
    const invite = await talking();
    const call = bridge.daemon.timeline.calls.at(-1) ?? '';
    const recorded = trace(call, '--for', '20s');
    await new Promise<void>((resolve) => {
      let packets = 0;
      // 8 s: libwebrtc has sent a report by then
      rtp.on('message', () => ++packets === 400 && resolve());
    });
    await hangUp(invite);
    const { code, out, err, file } = await recorded;
    expect([code, out]).toEqual([0, '']);
    expect(err).toMatch(/recording \w+ for 20 s.*\n.*: \d+ packets in /);

    expect(await rows(file, malformed, 'frame.number', '_ws.expert.message')).toEqual([]);
    expect(await rows(file, 'ip.checksum.status == 0 || udp.checksum.status == 0', 'frame.number')).toEqual([]);
    const sip = (await rows(file, 'sip', 'sip.Method', 'sip.Status-Code', 'sip.CSeq.method')).map((row) =>
      row.join(' ').trim(),
    );
    for (const part of ['INVITE  INVITE', '180 INVITE', '200 INVITE', 'ACK  ACK', 'BYE  BYE', '200 BYE'])
      expect(sip).toContain(part);
    for (const part of ['200 INVITE', 'ACK  ACK']) expect(sip.filter((row) => row === part)).toHaveLength(2);
    const streams = await rows(file, 'rtp', 'udp.srcport', 'udp.dstport', 'rtp.p_type', 'rtp.ssrc');
    const counts = new Map<string, number>();
    for (const [from, to, type] of streams)
      counts.set(`${from}>${to} ${type}`, (counts.get(`${from}>${to} ${type}`) ?? 0) + 1);
    const pbx = String(rtp.address().port);
    const ofPbx = [...counts].filter(([stream]) => stream.includes(pbx));
    const ofWhatsApp = [...counts].filter(([stream]) => !stream.includes(pbx));
    expect(
      ofPbx.some(([stream, packets]) => stream.startsWith(`${pbx}>`) && stream.endsWith(' 8') && packets > 50),
    ).toBe(true);
    expect(ofPbx.some(([stream, packets]) => stream.includes(`>${pbx} 8`) && packets > 50)).toBe(true);
    expect(ofWhatsApp.filter(([stream, packets]) => stream.endsWith(' 111') && packets > 50)).toHaveLength(2);
    const rtcp = await rows(file, 'rtcp', 'udp.srcport', 'udp.dstport', 'rtcp.pt');
    const ways = rtcp.map(([from = '', to = '']) =>
      to === String(Number(pbx) + 1) ? `${from} to PBX` : `${from}>${to}`,
    );
    // our own goodbye to the PBX, from the port above that of the audio, and reports of both sides on WhatsApp's
    const ours = String(Number(ofPbx.find(([stream]) => stream.startsWith(`${pbx}>`))?.[0].split(/[> ]/)[1]) + 1);
    expect(ways).toContain(`${ours} to PBX`);
    expect(new Set(ways.filter((way) => way.includes('>'))).size).toBe(2);
    for (const [, , types = ''] of rtcp) expect(types).toMatch(/^20[01]\b/);
    // Wireshark finds the PBX's audio by the SDP alone.
    const bySdp = await rows(file, `rtp.setup-method == "SDP" && udp.port == ${pbx}`, 'rtp.ssrc');
    expect(bySdp.length).toBeGreaterThan(100);
  });

  it('a call that is over: its SIP messages alone, and it says so', async () => {
    await hangUp(await talking());
    const call = bridge.daemon.timeline.calls.at(-1) ?? '';
    const { code, err, file } = await trace(call);
    expect(code).toBe(0);
    expect(err).toContain('only its SIP messages are kept, no audio');
    const methods = (await rows(file, 'sip', 'sip.CSeq.method')).map(([method]) => method);
    expect(new Set(methods)).toEqual(new Set(['INVITE', 'ACK', 'BYE']));
    expect(await rows(file, 'rtp', 'frame.number')).toEqual([]);
    expect((await rows(file, `sip contains "${USER}"`, 'frame.number')).length).toBeGreaterThan(0);
  });
});
