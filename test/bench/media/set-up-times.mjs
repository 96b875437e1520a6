import { credentials, metaDescription, OPUS_PAYLOAD_TYPE, WHATSAPP_ADDRESS } from './descriptions.mjs';
import { MeasuredProcess } from './measured-process.mjs';
import { NODE_FLAGS } from './relays.mjs';

/** Set-ups of each kind that are not counted: the first ones are made by code that is not compiled yet. */
const WARM_UPS = 4;

const msBetween = (from, to) => Number(BigInt(to) - BigInt(from)) / 1e6;

/** OpenSSL as Meta's side: the load. */
class OpenSslPeer {
  name = 'openssl';

  constructor(load) {
    this.load = load;
  }

  async #open(role) {
    this.leg = await this.load.leg('whatsapp', WHATSAPP_ADDRESS, 'stamped', OPUS_PAYLOAD_TYPE);
    this.own = credentials();
    this.load.secure(this.leg, role, this.own);
  }

  async offer() {
    await this.#open('server');
    return this.#description('actpass');
  }

  async answer() {
    await this.#open('client');
    return this.#description('active');
  }

  accept() {
    // It has all it needs: an ICE-lite side waits to be checked.
  }

  /** When it heard our first packet. */
  heard() {
    return this.load.when('first', this.leg);
  }

  close() {
    this.load.drop(this.leg);
  }

  #description(setup) {
    return metaDescription({ fingerprint: this.load.fingerprint, leg: this.leg, own: this.own, setup });
  }
}

/** libwebrtc in a process of its own. */
class LibwebrtcPeer {
  name = 'libwebrtc';

  constructor(child) {
    this.child = child;
  }

  offer() {
    return this.child.ask('offer');
  }

  answer(offer) {
    return this.child.ask('answer', { offer });
  }

  accept(answer) {
    return this.child.ask('accept', { answer });
  }

  heard() {
    return Promise.resolve(undefined);
  }

  close() {
    return this.child.ask('close');
  }
}

/** Meta offers, we answer; time runs from the offer on. */
async function userCalls(engine, peer, call) {
  const { answer } = await engine.ask('offered', { call, offer: await peer.offer() });
  await peer.accept(answer);
  return engine.ask('connect', { call, untilAudio: true });
}

/** We offer, Meta answers; time runs from the answer on. */
async function weCall(engine, peer, call) {
  const { offer } = await engine.ask('offer', { call });
  return engine.ask('connect', { call, answer: await peer.answer(offer), untilAudio: true });
}

async function measureKind(engine, peer, direct, count) {
  const times = [];
  for (let i = -WARM_UPS; i < count; i++) {
    const call = `${peer.name}-${direct.name}-${i}`;
    const { sinceNs, upNs, heardNs } = await direct(engine, peer, call);
    const heardByPeerNs = await peer.heard();
    const upMs = msBetween(sinceNs, upNs);
    const audioMs = [heardNs, heardByPeerNs].filter((at) => at !== undefined).map((at) => msBetween(sinceNs, at));
    if (i >= 0) times.push({ upMs, audioMs: Math.max(...audioMs) });
    await Promise.all([engine.ask('close', { call }), peer.close()]);
  }
  return times;
}

/**
 * From SDP in hand to DTLS up, and to the first packet of audio (with OpenSSL both ways; of libwebrtc, its first one here),
 * one call at a time, both directions. Kinds: `openssl user-initiated` and so on; libwebrtc is left out where it is not installed.
 */
export async function measureSetUps({ count, cores, load, say }) {
  const engine = await MeasuredProcess.start('engine-process.mjs', { core: cores.measured, flags: NODE_FLAGS });
  const libwebrtc = await MeasuredProcess.start('libwebrtc-process.mjs', { core: cores.load }).catch((err) => {
    say(`  without libwebrtc: ${err.message}`);
    return undefined;
  });
  const peers = [new OpenSslPeer(load), ...(libwebrtc ? [new LibwebrtcPeer(libwebrtc)] : [])];
  const kinds = {};
  for (const peer of peers) {
    for (const [name, direct] of [
      ['user-initiated', userCalls],
      ['business-initiated', weCall],
    ]) {
      kinds[`${peer.name} ${name}`] = await measureKind(engine, peer, direct, count);
      say(`  set-up, ${peer.name}, ${name}: ${kinds[`${peer.name} ${name}`].map(({ upMs }) => Math.round(upMs))} ms`);
    }
  }
  await Promise.all([engine.stop(), libwebrtc?.stop()]);
  return kinds;
}
