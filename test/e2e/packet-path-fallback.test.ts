import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnPackets } from '../../src/media/webrtc-packets.js';
import { boundSocket } from '../support/bound-socket.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

/** The first call of each direction on a werift that is not what our packet path was written for. */
describe('with a packet path of ours that fails its check at start', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  let logger: RecordingLogger;

  beforeEach(async () => {
    // Whatever reaches our path is lost there: a call on it would have no audio.
    vi.spyOn(OwnPackets.prototype, 'receive').mockReturnValue(undefined);
    logger = new RecordingLogger();
    phone = new WrtcPeer();
    rtp = await boundSocket();
    bridge = await ScriptedBridge.start({ logger, workers: 0 });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  /** Payload types of what the PBX hears once the user speaks, and that its own side gets through to the user. */
  async function expectAudio(): Promise<void> {
    const heard = new Promise<Buffer>((resolve) => rtp.once('message', resolve));
    phone.play();
    await phone.reaches('connected');
    expect((await heard)[1]! & 0x7f).toBe(8);
    await bridge.step('media.first_from_whatsapp');
    await vi.waitFor(
      async () => expect(Number((await phone.stats('inbound-rtp'))[0]?.['packetsReceived'])).toBeGreaterThan(10),
      10_000,
    );
    const warnings = logger.lines.filter(({ message }) => message.startsWith('packets of WebRTC take the slow path'));
    expect(warnings.map(({ level }) => level)).toEqual(['warn']);
  }

  it('a user calls, is heard and hears', async () => {
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.pbxPicksUp(invite, { body: pbxSdp(rtp.address().port) });
    const session = bridge.session();
    await phone.accept(session.sdp);
    await expectAudio();
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'user_initiated', code: 'hangup' });
  });

  it('the PBX calls, is heard and hears', async () => {
    const id = 'wacid.double-1';
    const body = pbxSdp(rtp.address().port);
    const invite = bridge.pbxCalls({ body });
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(id, await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status(id, 'RINGING'));
    await bridge.pbx.response(180, 'INVITE');
    await bridge.deliver(bridge.status(id, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(invite, ok);
    await expectAudio();
    bridge.pbx.send(bridge.pbx.inDialog('BYE', invite, ok, { cseq: 2 }), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup' });
  });
});
