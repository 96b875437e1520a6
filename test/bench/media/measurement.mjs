import { Bed } from './bed.mjs';
import { faultOf, findKnee, guessFrom, isDoubtful, isHeldByLoad } from './knee.mjs';
import { EngineRelay, ForwarderRelay } from './relays.mjs';
import { RtpengineRelay } from './rtpengine-relay.mjs';
import { measureSetUps } from './set-up-times.mjs';
import { StockRelay } from './stock-relay.mjs';

/** How many calls warm a relay up, few enough for a slow machine. */
const FIRST_CALLS = {
  'sip2wa passthrough': 80,
  'sip2wa transcode': 30,
  'sip2wa g722': 20,
  dgram: 200,
  rtpengine: 10,
  stock: 30,
};
const MOST_CALLS = 2000;
const CALLS_BEFORE_MEMORY = 10;
const WIDE = 1.25;
const NARROW = 1.12;
const NEAR = 0.92;
/** CPU per packet is compared at this share of what we bear: the fewer packets, the more of it is waking up. */
const COMPARED_AT = 0.8;
const TRIES = 2;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** All of one run. */
export class Measurement {
  #options;
  #plan;
  #cores;
  #load;
  #say;
  #found = new Map();
  /** What is compared at one number of calls. */
  #comparedCalls;
  results = { setUps: undefined, passthrough: [], transcode: [], g722: [], stock: [], memory: undefined };

  constructor({ options, cores, load, say, hasRtpengine }) {
    this.#options = options;
    this.#plan = options.plan;
    this.#cores = cores;
    this.#load = load;
    this.#say = say;
    this.hasRtpengine = hasRtpengine;
  }

  /** Fills `results`, which are good at any time. */
  async run() {
    const { only } = this.#options;
    const { repeats, repeatsOfG722, stock } = this.#plan;
    if (only.includes('setup')) await this.#setUps();
    if (only.includes('passthrough')) await this.#memory();
    for (let i = 0; i < repeats; i++) {
      if (only.includes('passthrough')) await this.#repeat('passthrough', () => this.#passthrough());
      if (only.includes('transcode')) await this.#repeat('transcode', () => this.#transcode());
      if (only.includes('passthrough') && stock) await this.#repeat('stock', () => this.#stock());
    }
    for (let i = 0; i < repeatsOfG722; i++) if (only.includes('g722')) await this.#repeat('g722', () => this.#g722());
  }

  get #isLate() {
    return performance.now() > this.#plan.untilSeconds * 1000;
  }

  async #repeat(name, work) {
    if (!this.#isLate) this.results[name].push(await work());
  }

  async #setUps() {
    const { setUps } = this.#plan;
    this.results.setUps = await measureSetUps({ count: setUps, cores: this.#cores, load: this.#load, say: this.#say });
  }

  /** A pair: our engine and a bare loop in turn, and the CPU of the three at one number of calls. */
  async #passthrough() {
    const ours = await this.#engine('passthrough');
    this.#comparedCalls ??= Math.max(1, Math.floor(ours.knee * COMPARED_AT));
    const dgram = await this.#with(ForwarderRelay, {}, async (bed) => {
      const found = await this.#search('dgram', bed);
      return { ...found, compared: await this.#settled(bed, this.#comparedCalls) };
    });
    const rtpengine = this.hasRtpengine
      ? await this.#with(RtpengineRelay, { mode: 'passthrough' }, async (bed) => ({
          compared: await this.#settled(bed, this.#comparedCalls),
        }))
      : undefined;
    return { ours, dgram, rtpengine };
  }

  async #transcode() {
    const ours = await this.#engine('transcode');
    const rtpengine = this.hasRtpengine
      ? await this.#with(RtpengineRelay, { mode: 'transcode' }, (bed) => this.#search('rtpengine', bed))
      : undefined;
    return { ours, rtpengine };
  }

  async #g722() {
    return { ours: await this.#engine('g722') };
  }

  #stock() {
    return this.#with(StockRelay, {}, (bed) => this.#search('stock', bed));
  }

  /** Our engine: the most it bears, what half of that is delayed by, and what a packet costs. */
  #engine(mode) {
    return this.#with(EngineRelay, { mode }, async (bed) => {
      const found = await this.#search(`sip2wa ${mode}`, bed);
      const calls = mode === 'passthrough' && this.#comparedCalls ? this.#comparedCalls : found.knee * COMPARED_AT;
      const compared = await this.#settled(bed, Math.max(1, Math.floor(calls)));
      const half = await this.#settled(bed, Math.max(1, Math.floor(found.knee / 2)));
      return { ...found, compared, half, complaints: await bed.relay.complaints() };
    });
  }

  async #with(Relay, { mode }, work) {
    const { profileDir } = this.#options;
    const bed = new Bed(await Relay.start({ mode, core: this.#cores.measured, profileDir }), this.#load);
    try {
      return await work(bed);
    } finally {
      await bed.stop();
    }
  }

  /** A window once so many calls have been up for a while. */
  async #settled(bed, calls) {
    const isAnew = bed.calls === 0;
    await bed.resize(calls);
    await sleep(2 * this.#plan.settleMs + this.#emptiesMs(bed, isAnew));
    const window = await bed.window(this.#plan.windowMs);
    this.#tell(bed, window);
    return window;
  }

  async #search(kind, bed) {
    const known = this.#found.get(kind);
    await bed.resize(known ? Math.max(1, Math.round(known * NEAR)) : (this.#options.calls ?? FIRST_CALLS[kind]));
    await sleep(this.#plan.warmUpMs);
    const start = known ? bed.calls : guessFrom(await bed.window(this.#plan.windowMs / 2));
    const tried = [];
    const endMs = performance.now() + this.#plan.searchSeconds * 1000;
    let isCut = false;
    const knee = await findKnee({
      start,
      factor: known ? NARROW : WIDE,
      closeEnough: bed.relay.mode?.buffers ? this.#plan.closeEnoughBuffered : this.#plan.closeEnough,
      most: MOST_CALLS,
      isLate: () => (isCut = this.#isLate || performance.now() > endMs),
      attempt: (calls) => this.#attempt(bed, calls, tried),
    });
    if (knee > 0) this.#found.set(kind, knee);
    return {
      knee,
      isCut: isCut || isHeldByLoad(tried, knee),
      tried,
      atKnee: tried.findLast((window) => window.calls === knee && !window.fault),
    };
  }

  /** Whether so many calls are borne, in one window or in the next: a relay that bears them may still be caught cold. */
  async #attempt(bed, calls, tried) {
    const isAnew = bed.calls === 0;
    if (!(await bed.resize(calls))) {
      this.#say(`  ${bed.relay.name}: ${calls} calls are not set up in time (${bed.lastError?.message ?? 'too slow'})`);
      tried.push({ calls, fault: 'set-up' });
      return false;
    }
    // What an overload has left in queues is worked off before the next window.
    if (tried.at(-1)?.fault) await sleep(2 * this.#plan.settleMs);
    await sleep(this.#emptiesMs(bed, isAnew));
    for (let tries = 0; tries < TRIES; tries++) {
      await sleep(this.#plan.settleMs);
      const window = await bed.window(this.#plan.windowMs);
      const fault = faultOf(window);
      tried.push({ ...window, fault });
      this.#tell(bed, window, fault);
      if (!fault) return true;
      if (bed.relay.isSpoiltBy?.(fault)) await bed.resize(0);
      if (!isDoubtful(window)) break;
      await bed.resize(calls);
      await sleep(this.#emptiesMs(bed, true));
    }
    return false;
  }

  #emptiesMs({ relay }, isAnew) {
    return isAnew && relay.mode?.buffers ? this.#plan.emptiesMs : 0;
  }

  /** What a call that is held weighs: the growth of a process that has few calls by many more. */
  async #memory() {
    const { memoryCalls, warmUpMs, settleMs } = this.#plan;
    this.results.memory = await this.#with(EngineRelay, { mode: 'passthrough' }, async (bed) => {
      await bed.resize(CALLS_BEFORE_MEMORY);
      await sleep(warmUpMs);
      const before = await bed.relay.memory();
      await bed.resize(CALLS_BEFORE_MEMORY + memoryCalls);
      await sleep(2 * settleMs);
      const after = await bed.relay.memory();
      const calls = bed.calls - CALLS_BEFORE_MEMORY;
      return calls > 0 ? { calls, before, after } : undefined;
    });
  }

  #tell(bed, window, fault) {
    const ms = (us) => (us / 1000).toFixed(1);
    const { toWhatsApp, toPbx, cpuMsPer1000, cores, calls, lateP99Us, opusComplexity } = window;
    const effort = bed.relay.mode?.buffers && opusComplexity !== undefined ? `complexity ${opusComplexity}, ` : '';
    this.#say(
      `  ${bed.relay.name}: ${calls} calls, p99 ${ms(toWhatsApp.p99Us)} and ${ms(toPbx.p99Us)} ms, ` +
        `${cpuMsPer1000.toFixed(1)} ms CPU per 1,000 packets, ${(cores * 100).toFixed(0)} % of a core, ` +
        `${effort}load late by ${ms(lateP99Us)} ms${fault ? `: ${fault}` : ''}`,
    );
  }
}
