import { expect } from 'vitest';
import { address } from './addresses.js';
import type { Bridge } from './bridge.js';
import { MediaPeer, type MediaPeerStats } from './media-peer.js';
import type { CallRequest } from './meta.js';
import type { Scene } from './scene.js';
import { sine } from './sound.js';
import type { Sound } from './wav.js';

/** What the WhatsApp user says in these tests. */
export const userToneHz = 1300;

/** The WhatsApp side of one call: Meta's signalling and an ICE-lite relay with the user's sound behind it. */
export class WhatsAppCall {
  private constructor(
    private readonly bridge: Bridge,
    readonly relay: MediaPeer,
  ) {}

  /** A user calls: offer with `actpass`, of which the bridge has to make itself the DTLS client. */
  static async fromUser(scene: Scene, bridge: Bridge, payload?: string): Promise<WhatsAppCall> {
    const relay = await startRelay(scene, 'server');
    const call = new WhatsAppCall(bridge, relay);
    // Clients take the first media packet for the answer: none may come before `accept` is answered.
    bridge.meta.before('accept', () => relay.mark());
    await bridge.meta.userCalls(relay.description('actpass'), payload);
    return call;
  }

  /** The PBX calls a user, whose relay takes the DTLS role it is told; nothing rings yet. */
  static async toUser(scene: Scene, bridge: Bridge, role: 'client' | 'server' = 'client'): Promise<WhatsAppCall> {
    return new WhatsAppCall(bridge, await startRelay(scene, role));
  }

  /** Waits for `pre_accept` and for ICE and DTLS, which come up before the PBX has answered. */
  async preAccepted(): Promise<void> {
    const request = await this.bridge.meta.request('pre_accept');
    expectOurDescription(request, 'answer', 'active');
    await this.#mediaUp(request);
  }

  /** Waits for `accept`, and lets the user speak. */
  async accepted(): Promise<void> {
    const request = await this.bridge.meta.request('accept', 20_000);
    expect(request.session).toEqual(this.bridge.meta.requests.find(({ action }) => action === 'pre_accept')?.session);
    this.relay.play();
    await this.relay.firstRtp(5_000);
  }

  /** Waits for `connect`, rings, answers with the relay's description, and picks up once media is up. */
  async ringsAndPicksUp(): Promise<void> {
    const { meta } = this.bridge;
    const request = await meta.request('connect');
    expectOurDescription(request, 'offer', 'actpass');
    await meta.status('RINGING');
    await meta.answers(this.relay.description(this.relay.role === 'client' ? 'active' : 'passive'));
    await this.#mediaUp(request);
    this.relay.mark();
    await meta.status('ACCEPTED');
    this.relay.play();
    await this.relay.firstRtp(5_000);
  }

  async #mediaUp(request: CallRequest): Promise<void> {
    const sdp = request.session?.sdp ?? '';
    expect(await this.relay.iceConnected(5_000)).toMatch(`${address.bridge}:`);
    const dtls = await this.relay.dtlsConnected(5_000);
    expect(sdp.toUpperCase()).toContain(dtls.fingerprint.toUpperCase());
    expect(dtls).toMatchObject({ key: 'id-ecPublicKey', version: 'DTLSv1.2' });
  }

  /** Ends the relay and judges what came to it against the rules of Meta's media; gives what the user heard. */
  async judge(): Promise<{ heard: Sound; stats: MediaPeerStats }> {
    const { heard, stats } = await this.relay.report();
    expect(stats).toMatchObject({
      badChecks: 0,
      controlledChecks: 0,
      badAuth: 0,
      otherPayload: 0,
      rtpBeforeMark: 0,
      lost: 0,
      sequenceJumps: 0,
      timestampJumps: 0,
      ssrcs: 1,
    });
    expect(stats.checks).toBeGreaterThan(0);
    expect(stats.firstAfterMarkMs).toBeLessThan(1_000);
    return { heard, stats };
  }
}

function startRelay(scene: Scene, role: 'client' | 'server'): Promise<MediaPeer> {
  return MediaPeer.start(scene, { address: address.relay, role, play: sine(userToneHz, 1_000, 48_000) });
}

/** The form of our descriptions: Meta refuses anything else (one audio line, one SHA-256 fingerprint, Opus at 48000, sendrecv). */
function expectOurDescription(request: CallRequest, type: 'offer' | 'answer', setup: string): void {
  expect(request.session?.sdp_type).toBe(type);
  const lines = (request.session?.sdp ?? '').split('\r\n');
  const having = (start: string): string[] => lines.filter((line) => line.startsWith(start));
  expect(having('m=')).toHaveLength(1);
  expect(having('m=')[0]).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF /);
  expect(having('a=fingerprint:')).toEqual([
    expect.stringMatching(/^a=fingerprint:sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/),
  ]);
  expect(having('a=setup:')).toEqual([`a=setup:${setup}`]);
  expect(having('a=rtpmap:')).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/ opus\/48000\/2$/),
      expect.stringMatching(/ telephone-event\/8000$/),
    ]),
  );
  expect(lines).toEqual(expect.arrayContaining(['a=sendrecv', 'a=rtcp-mux']));
  expect(lines).not.toContain('a=ice-lite');
}
