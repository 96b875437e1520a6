import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminAsker } from '../support/admin-asker.js';
import { boundSocket } from '../support/bound-socket.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe.each([
  ['in the process of the daemon', 0],
  ['in a worker', 1],
])('the metrics of media %s', (_where, workers) => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  beforeEach(async () => {
    phone = new WrtcPeer();
    rtp = await boundSocket();
    bridge = await ScriptedBridge.start({ workers });
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  const metric = (sample: string): Promise<number | undefined> =>
    new AdminAsker(bridge.daemon.addresses.admin.port).metric(sample);
  const reaches = async (sample: string, fits: (value: number) => boolean): Promise<void> => {
    await until(async () => fits((await metric(sample)) ?? 0), sample, 10_000);
  };

  it('tell the ports that a call holds and the frames that are coded for it, and when it rang', async () => {
    expect([await metric('ports_in_use{leg="pbx"}'), await metric('ports_limit{leg="pbx"}')]).toEqual([0, 1000]);
    expect(await metric('ports_limit{leg="whatsapp"}')).toBe(1000);
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 180, 'Ringing', { toTag: 'p1' });
    await bridge.pbxPicksUp(invite, { body: pbxSdp(rtp.address().port) });
    const { sdp } = bridge.session();
    phone.play();
    await phone.accept(sdp);
    await phone.reaches('connected');
    await reaches('transcode_frames_total{from="opus",to="PCMA"}', (frames) => frames > 10);
    await reaches('ports_in_use{leg="pbx"}', (ports) => ports === 2);
    await reaches('ports_in_use{leg="whatsapp"}', (ports) => ports === 1);
    expect(await metric('post_dial_delay_seconds_count{direction="user_initiated"}')).toBe(1);
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    await bridge.record();
    await reaches('ports_in_use{leg="pbx"}', (ports) => ports === 0);
    await reaches('ports_in_use{leg="whatsapp"}', (ports) => ports === 0);
    expect(await metric('transcode_frames_total{from="opus",to="PCMA"}')).toBeGreaterThan(10);
  });
});
