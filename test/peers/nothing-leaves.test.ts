import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { Bridge } from '../support/peers/bridge.js';
import { escapedPackets } from '../support/peers/escapes.js';
import { MediaPeer } from '../support/peers/media-peer.js';
import { user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { Sipp } from '../support/peers/sipp.js';
import { sine } from '../support/peers/sound.js';
import { listenFor } from '../support/peers/until.js';

// Addresses for documentation (RFC 5737, RFC 3849): nobody has them, and from here they lead into the trap.
const elsewhere = '203.0.113.77';
const elsewhere6 = '2001:db8::77';

// The scene of every test of this suite fails on an escaped packet; these are the ones that try to make the bridge send one.
// Its media sockets have an address from which packets do get out: with `remote_networks: any` the tests of candidates fail.
describe('the bridge sends nothing to an address outside media.remote_networks', () => {
  let scene: Scene;
  let bridge: Bridge;
  let relay: MediaPeer;
  beforeEach(async () => {
    scene = new Scene();
    bridge = await Bridge.start(scene, { pbx: address.sipp, mediaAddress: address.trap });
    relay = await MediaPeer.start(scene, { address: address.relay, role: 'server', play: sine(500, 1_000, 48_000) });
  });
  afterEach(() => scene.close());

  /** Candidates elsewhere, preferred to the relay's own, as Meta's real offers have them. */
  const withCandidatesElsewhere = (sdp: string): string =>
    sdp.replace(
      /(?=a=candidate:)/,
      [elsewhere, elsewhere6]
        .map((host, index) => `a=candidate:${index + 1} 1 udp 2130706431 ${host} 3478 typ host generation 0\r\n`)
        .join(''),
    );

  it('though the offer of a user prefers candidates elsewhere', async () => {
    const before = escapedPackets();
    await Sipp.start(scene, { scenario: 'uas-answer', address: address.sipp });
    bridge.meta.before('accept', () => relay.mark());
    await bridge.meta.userCalls(withCandidatesElsewhere(relay.description('actpass')));
    await bridge.meta.request('accept', 20_000);
    relay.play();
    await relay.firstRtp(5_000);
    await listenFor(1_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await bridge.idle(5_000);
    expect(escapedPackets()).toBe(before);
  });

  it('though the offer of a user has no other candidate', async () => {
    const before = escapedPackets();
    await bridge.meta.userCalls(relay.description('actpass').replaceAll(address.relay, elsewhere));
    await bridge.idle(20_000);
    expect(escapedPackets()).toBe(before);
    expect((await relay.report()).stats.checks).toBe(0);
  });

  it("though Meta's answer to an offer of the business prefers candidates elsewhere", async () => {
    const before = escapedPackets();
    await Sipp.start(scene, {
      scenario: 'uac-call',
      address: address.sipp,
      target: `${address.bridge}:5060`,
      service: `+${user}`,
      talkMs: 1_000,
    });
    await bridge.meta.request('connect');
    await bridge.meta.answers(withCandidatesElsewhere(relay.description('passive')));
    await bridge.meta.status('RINGING');
    await relay.dtlsConnected(5_000);
    relay.mark();
    await bridge.meta.status('ACCEPTED');
    await bridge.meta.request('terminate');
    await bridge.idle(5_000);
    expect(escapedPackets()).toBe(before);
    expect((await relay.report()).stats.received).toBeGreaterThan(0);
  });

  it('though the SDP of the PBX sends its audio elsewhere', async () => {
    const before = escapedPackets();
    const pbx = await Sipp.start(scene, {
      scenario: 'uas-answer',
      address: address.sipp,
      mediaAddress: elsewhere,
    });
    bridge.meta.before('accept', () => relay.mark());
    await bridge.meta.userCalls(relay.description('actpass'));
    await bridge.meta.request('pre_accept');
    await bridge.meta.request('accept', 3_000).catch(() => undefined);
    relay.play();
    await listenFor(1_000);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await bridge.idle(10_000);
    await pbx.stop();
    expect(escapedPackets()).toBe(before);
  });
});
