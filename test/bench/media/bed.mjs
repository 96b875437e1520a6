import { readFileSync } from 'node:fs';
import { cpuMsOf } from './measured-process.mjs';

/** Set-ups under way at once: Node's handshakes take milliseconds each, and calls do not come by the hundred at once. */
const IN_FLIGHT = 4;
/** Of calls with buffers: several handshakes in a row would hold up the others for so long that they buffer more. */
const IN_FLIGHT_BUFFERED = 1;
const HANDSHAKES_IN_VAIN = 3;
/** A relay that takes longer for its calls is overloaded by those it has. */
const RESIZE_MS = 25_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A relay with calls on it and the load that talks in them. */
export class Bed {
  #relay;
  #load;
  #calls = [];
  #nextCall = 1;

  constructor(relay, load) {
    this.#relay = relay;
    this.#load = load;
  }

  get calls() {
    return this.#calls.length;
  }

  get relay() {
    return this.#relay;
  }

  /** Opens or closes calls until there are so many; false if the relay cannot take them. */
  async resize(wanted) {
    const endMs = performance.now() + RESIZE_MS;
    let failures = 0;
    const work = async () => {
      while (this.#calls.length + this.opening < wanted && failures < HANDSHAKES_IN_VAIN && performance.now() < endMs) {
        this.opening += 1;
        const call = { id: this.#nextCall++, legs: {} };
        try {
          await this.#relay.open(call.id, this.#load, call.legs);
          this.#calls.push(call);
        } catch (err) {
          failures += 1;
          this.lastError = err;
          await this.#close(call).catch(() => undefined);
        } finally {
          this.opening -= 1;
        }
      }
    };
    const inFlight = this.#relay.mode?.buffers ? IN_FLIGHT_BUFFERED : IN_FLIGHT;
    await Promise.all(Array.from({ length: inFlight }, work));
    await this.#closeAll(this.#calls.splice(wanted));
    return this.#calls.length === wanted;
  }

  opening = 0;

  /** What the load counted in so many ms, and what the relay's process needed for it. */
  async window(ms) {
    const drops = droppedDatagrams();
    const [cpuMs, sinceMs] = [cpuMsOf(this.#relay.pid), performance.now()];
    const counted = this.#load.window(ms);
    await sleep(ms);
    const spentMs = cpuMsOf(this.#relay.pid) - cpuMs;
    const tookMs = performance.now() - sinceMs;
    const state = await this.#relay.state?.();
    const window = await counted;
    const packets = ((window.toWhatsApp.received + window.toPbx.received) * tookMs) / ms;
    return {
      ...window,
      ...state,
      calls: this.calls,
      droppedByKernel: droppedDatagrams() - drops,
      cores: spentMs / tookMs,
      cpuMsPer1000: (spentMs * 1000) / packets,
    };
  }

  async stop() {
    await this.#relay.stop();
    for (const { legs } of this.#calls.splice(0)) this.#drop(legs);
  }

  /** Silence first: a relay that is overloaded hears no word before it has worked off what it was sent. */
  async #closeAll(calls) {
    for (const { legs } of calls) this.#drop(legs);
    await Promise.all(calls.map(({ id }) => this.#relay.close(id)));
  }

  async #close({ id, legs }) {
    this.#drop(legs);
    await this.#relay.close(id);
  }

  #drop(legs) {
    for (const leg of Object.values(legs)) this.#load.drop(leg);
  }
}

/** Datagrams for which a socket of this network had no room, so far. */
function droppedDatagrams() {
  const lines = readFileSync('/proc/net/snmp', 'latin1').split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('Udp:')).map((line) => line.split(' '));
  return Number(values[names.indexOf('RcvbufErrors')]);
}
