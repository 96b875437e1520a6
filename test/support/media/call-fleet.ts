import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { given } from '../../../src/lib/given.js';
import { rtpPorts } from '../ports.js';
import { RecordingLogger } from '../recording-logger.js';
import type { RelayRule } from '../udp-relay.js';
import { FleetCall, type CallCounts, type FleetCallOptions } from './fleet-call.js';

export interface FleetOptions {
  readonly calls: number;
  /** The calls' codecs, in turns; default: half of them transcoded. */
  readonly codecs?: readonly FleetCallOptions['codec'][];
  /** What happens to packets between each leg and its peer. */
  readonly rule?: RelayRule;
}

const frameMs = 20;
/** Calls set up together. */
const atOnce = 5;
/** For what is under way when everybody falls silent. */
const settleMs = 250;

/** Many calls through one engine of this process, all talking: what attacks and mishaps are tried on. */
export class CallFleet {
  readonly logger = new RecordingLogger();
  readonly engine = new WeriftMediaEngine({
    ...{ listenIp: '127.0.0.1', advertisedIp: '', rtpPorts, webrtcPorts: [0, 0] },
    ...{ remoteNetworks: ['127.0.0.0/8'], logger: this.logger, clock: systemClock, ids: systemIds },
  });
  readonly calls: FleetCall[] = [];

  static async open({ calls, codecs = ['opus', 'PCMA'], rule }: FleetOptions): Promise<CallFleet> {
    const fleet = new CallFleet();
    await fleet.engine.start();
    for (let index = 0; index < calls; index++) {
      const direction = index % 4 < 2 ? 'user-initiated' : 'business-initiated';
      const codec = codecs[index % codecs.length] ?? 'opus';
      fleet.calls.push(new FleetCall({ engine: fleet.engine, index, codec, direction, ...given('rule', rule) }));
    }
    // Several at a time: the first ones are given up when they hear nothing for 20 s.
    for (let first = 0; first < calls; first += atOnce) {
      await Promise.all(
        fleet.calls.slice(first, first + atOnce).map(async (call) => {
          await call.setUp();
          await call.up();
        }),
      );
    }
    return fleet;
  }

  /** Lets all calls talk for a while, `meanwhile` with them, and counts what became of every packet. */
  async talk(
    ms: number,
    meanwhile: Meanwhile = { start: () => undefined, stop: () => undefined },
  ): Promise<FleetCounts> {
    for (const call of this.calls) await call.begin();
    meanwhile.start();
    await this.#say(ms);
    meanwhile.stop();
    await pause(settleMs);
    const counts: CallCounts[] = [];
    for (const call of this.calls) counts.push(await call.count());
    const sum = (of: (count: CallCounts) => number): number => counts.reduce((total, each) => total + of(each), 0);
    return {
      said: sum(({ said }) => said),
      lost: sum(({ lost }) => lost),
      lostThrough: sum(({ lostThrough }) => lostThrough),
      lostOut: sum(({ lostOut }) => lostOut),
      injected: sum(({ injected }) => injected),
      dropped: this.calls.flatMap(({ failure }) => failure ?? []),
      deaf: counts.filter(({ said, lost }) => lost > said / 2).length,
    };
  }

  /** How often DTLS of a call was closed, or broke. */
  get dtlsClosed(): number {
    return this.logger.lines.filter(({ message }) => message.startsWith('DTLS closed')).length;
  }

  async close(): Promise<void> {
    for (const call of this.calls) await call.close();
    await this.engine.stop();
  }

  /** A packet each way in every call in each 20 ms, the calls spread evenly over them, on an absolute beat. */
  #say(ms: number): Promise<void> {
    const { calls } = this;
    const startMs = performance.now();
    let said = 0;
    const total = Math.round(ms / frameMs) * calls.length;
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const due = Math.min(total, Math.floor(((performance.now() - startMs) / frameMs) * calls.length) + 1);
        for (; said < due; said++) calls[said % calls.length]?.say();
        if (said < total) return;
        clearInterval(timer);
        resolve();
      }, 2);
    });
  }
}

/** Something that goes on while the calls talk. */
export interface Meanwhile {
  start(): void;
  stop(): void;
}

/** Sums over all calls; see `CallCounts`. */
export interface FleetCounts extends CallCounts {
  /** Calls that ended, and why. */
  readonly dropped: readonly string[];
  /** Calls of which not even half of what was said got as far as the bridge. */
  readonly deaf: number;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
