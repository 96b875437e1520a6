import type { Clock, Timer } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';

/** One end of a datagram. */
export interface PacketPlace {
  readonly address: string;
  readonly port: number;
}

export type CaptureSide = 'whatsapp' | 'pbx';

/** A packet of RTP or RTCP of a leg in the clear, whatever sealed it on the wire. */
export interface CapturedPacket {
  readonly side: CaptureSide;
  readonly isOutgoing: boolean;
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
  readonly local: PacketPlace;
  readonly remote: PacketPlace;
  readonly data: Uint8Array;
}

export interface CapturedBatch {
  readonly packets: readonly CapturedPacket[];
  /** Packets that found no room since the last batch. */
  readonly lost: number;
}

/** Takes a batch. Until what it returns is settled no other one comes, and what finds no room is lost. Must not throw. */
export type CaptureListener = (batch: CapturedBatch) => Promise<void> | void;

/** Takes packets of one leg as they pass; must copy what it keeps. */
export type PacketTap = (packet: Uint8Array, local: PacketPlace, remote: PacketPlace, isOutgoing: boolean) => void;

/** A leg's media that can be listened to. Without a tap a packet costs it one look at an undefined field. */
export interface TappedEndpoint {
  setTap(tap: PacketTap | undefined): void;
}

/** Records the audio of calls that are asked for. */
export interface MediaCapture {
  /** Tells of the RTP and RTCP of a call, of all its legs now and later, until the function returned is called. One at a time for each call. */
  capture(call: CallId, listener: CaptureListener): () => void;
}

/** Batches are as long, in milliseconds. */
const batchMs = 100;
/** What may wait of one call: some seconds of both legs. */
const maxWaitingBytes = 256 * 1024;
const overheadBytes = 64;

/** Copies packets aside and hands them on in batches: the call waits for nobody. */
class PacketBatches {
  #waiting: CapturedPacket[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #isBusy = false;
  #timer: Timer | undefined;
  #isStopped = false;
  /** The wall clock knows whole milliseconds alone, and may be set in between. */
  readonly #epochMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly listener: CaptureListener,
  ) {
    this.#epochMs = clock.now() - clock.monotonicMs();
  }

  add(side: CaptureSide, [packet, local, remote, isOutgoing]: Parameters<PacketTap>): void {
    if (this.#isStopped) return;
    const bytes = packet.length + overheadBytes;
    this.#timer ??= this.clock.after(batchMs, () => this.#flush());
    if (this.#waitingBytes + bytes > maxWaitingBytes) {
      this.#lost++;
      return;
    }
    this.#waitingBytes += bytes;
    const atUs = Math.round((this.#epochMs + this.clock.monotonicMs()) * 1000);
    this.#waiting.push({ side, isOutgoing, atUs, local, remote, data: Uint8Array.from(packet) });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#waiting = [];
  }

  #flush(): void {
    this.#timer = undefined;
    if (this.#isStopped || this.#isBusy || (this.#waiting.length === 0 && this.#lost === 0)) return;
    const batch = { packets: this.#waiting, lost: this.#lost };
    [this.#waiting, this.#waitingBytes, this.#lost] = [[], 0, 0];
    const taken = this.listener(batch);
    if (!taken) return;
    this.#isBusy = true;
    const done = (): void => {
      this.#isBusy = false;
      this.#flush();
    };
    taken.then(done, done);
  }
}

interface Leg {
  readonly call: CallId;
  readonly side: CaptureSide;
}

/** The legs of all calls, and who listens to which. */
export class PacketCaptures implements MediaCapture {
  readonly #legs = new Map<TappedEndpoint, Leg>();
  readonly #running = new Map<CallId, PacketBatches>();

  constructor(private readonly clock: Clock) {}

  opened(endpoint: TappedEndpoint, call: CallId, side: CaptureSide): void {
    this.#legs.set(endpoint, { call, side });
    const batches = this.#running.get(call);
    if (batches) tap(endpoint, side, batches);
  }

  closed(endpoint: TappedEndpoint): void {
    this.#legs.delete(endpoint);
    endpoint.setTap(undefined);
  }

  capture(call: CallId, listener: CaptureListener): () => void {
    this.#stop(call);
    const batches = new PacketBatches(this.clock, listener);
    this.#running.set(call, batches);
    for (const [endpoint, leg] of this.#legs) if (leg.call === call) tap(endpoint, leg.side, batches);
    return () => {
      if (this.#running.get(call) === batches) this.#stop(call);
    };
  }

  #stop(call: CallId): void {
    const batches = this.#running.get(call);
    if (!batches) return;
    batches.stop();
    this.#running.delete(call);
    for (const [endpoint, leg] of this.#legs) if (leg.call === call) endpoint.setTap(undefined);
  }
}

const tap = (endpoint: TappedEndpoint, side: CaptureSide, batches: PacketBatches): void =>
  endpoint.setTap((...packet) => batches.add(side, packet));
