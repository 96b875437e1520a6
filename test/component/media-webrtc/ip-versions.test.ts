import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { createWeriftEndpoint, type WeriftEndpoint } from '../../../src/media/webrtc-endpoint.js';
import { requireIpv6 } from '../../support/require-ipv6.js';
import { UdpRelay } from '../../support/udp-relay.js';
import { until } from '../../support/until.js';
import { WrtcPeer } from '../../support/wrtc-peer.js';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
beforeAll(requireIpv6);

/** Our side on `listenIp`, and libwebrtc with candidates on `hosts`. */
class Scene {
  readonly peer: WrtcPeer;
  readonly endpoint: WeriftEndpoint;
  heard = 0;
  readonly #events: string[] = [];

  constructor(listenIp: string, hosts: readonly string[], advertisedIp = listenIp) {
    this.peer = new WrtcPeer(440, hosts);
    this.endpoint = createWeriftEndpoint({
      ...{ call: 'call' as CallId, id: 'media', listenIp, advertisedIp, ports: [0, 0] },
      ...{ remoteAllowed: () => true, logger: silentLogger, clock: systemClock },
    });
    this.endpoint.listen(({ type }) => this.#events.push(type));
    this.endpoint.port.onAudio = () => this.heard++;
    closing.push(
      () => this.peer.close(),
      () => this.endpoint.close(),
    );
  }

  async userCalls(edit: (offer: string) => string = (offer) => offer): Promise<void> {
    await this.peer.accept(await this.endpoint.createAnswer(edit(await this.peer.offer())));
    await this.endpoint.start();
  }

  async businessCalls(): Promise<void> {
    await this.endpoint.acceptAnswer(await this.peer.answer(await this.endpoint.createOffer()));
  }

  /** Both up, and audio both ways. */
  async talks(): Promise<void> {
    await until(() => this.#events.includes('dtls_connected'), 'dtls_connected', 8000);
    await this.peer.reaches('connected', 8000);
    this.endpoint.openSending();
    this.peer.play();
    await until(() => this.heard >= 25, 'half a second of audio from the peer');
    await until(() => this.peer.heard.samples.length >= 24_000, 'half a second of audio at the peer');
  }

  /** The address at which libwebrtc is reached; ours it does not tell, since no SDP named it. */
  async pathTo(): Promise<unknown> {
    const pairs = await this.peer.stats('candidate-pair');
    const used = pairs.find((one) => one['nominated'] === true && one['state'] === 'succeeded');
    return (await this.peer.stats('local-candidate')).find(({ id }) => id === used?.['localCandidateId'])?.['address'];
  }
}

describe('ICE and DTLS over IPv6, against libwebrtc', () => {
  it.each(['userCalls', 'businessCalls'] as const)('carries audio both ways over ::1: %s', async (who) => {
    const scene = new Scene('::1', ['::1']);
    await scene[who]();
    await scene.talks();
    expect(await scene.pathTo()).toBe('::1');
    expect(scene.endpoint.dropped).toMatchObject({ foreign: 0, refusedSends: 0 });
  });

  it.each([
    ['both', ['::1', '127.0.0.1']],
    ['IPv4 alone', ['127.0.0.1']],
    ['IPv6 alone', ['::1']],
  ])('listening on ::, finds a peer with %s', async (_which, hosts) => {
    for (const who of ['userCalls', 'businessCalls'] as const) {
      const scene = new Scene('::', hosts);
      await scene[who]();
      await scene.talks();
      expect(hosts).toContain(await scene.pathTo());
    }
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['0.0.0.0', '127.0.0.1'],
  ])('listening on %s, leaves candidates of the other version alone', async (listenIp, host) => {
    const scene = new Scene(listenIp, ['127.0.0.1', '::1']);
    await scene.userCalls();
    await scene.talks();
    expect(await scene.pathTo()).toBe(host);
    expect(scene.endpoint.dropped.refusedSends).toBe(0);
  });

  it.each([
    ['127.0.0.1', '::1'],
    ['0.0.0.0', '::1'],
    ['::1', '127.0.0.1'],
  ])('listening on %s, gives a peer that has only %s up at once (F-48)', async (listenIp, host) => {
    const [asked, asking] = [new Scene(listenIp, [host]), new Scene(listenIp, [host])];
    const offer = await asked.peer.offer();
    const answer = await asking.peer.answer(await asking.endpoint.createOffer());
    const before = performance.now();
    await expect(asked.endpoint.createAnswer(offer)).rejects.toMatchObject({ endCode: 'media_failed' });
    await expect(asking.endpoint.acceptAnswer(answer)).rejects.toMatchObject({ endCode: 'media_failed' });
    expect(performance.now() - before).toBeLessThan(100);
  });
});

describe('behind 1:1 address translation', () => {
  it('ICE comes up although the peer sees another address than the one that is bound', async () => {
    const scene = new Scene('127.0.0.1', ['127.0.0.1'], '127.0.0.50');
    const candidate = /(a=candidate:\S+ 1 udp \d+ )127\.0\.0\.1 (\d+)/;
    const offer = await scene.peer.offer();
    const nat = await UdpRelay.translating(
      { address: '127.0.0.1', port: Number(candidate.exec(offer)?.[2]) },
      { address: '127.0.0.60', port: 0 },
      { address: '127.0.0.50', port: 0 },
    );
    closing.push(() => nat.close());
    const answer = await scene.endpoint.createAnswer(offer.replace(candidate, `$1127.0.0.60 ${nat.port}`));
    // Meta is ICE-lite and learns our address from our checks: what is bound is nobody's business.
    expect(answer).not.toContain('a=candidate');
    await scene.peer.accept(answer);
    await scene.endpoint.start();
    await scene.talks();
    // Its address as the translation shows it to us: there was no other way.
    expect(await scene.pathTo()).toBe('127.0.0.60');
    expect(scene.endpoint.dropped).toMatchObject({ foreign: 0, forged: 0 });
  });
});
