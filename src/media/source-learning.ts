import { sequenceDelta } from './rtp-packet.js';

/** A packet of a source that may be the right one: version, payload type and network were found to fit. */
export interface PacketToLearnFrom {
  readonly datagram: Buffer;
  readonly address: string;
  readonly port: number;
  readonly ssrc: number;
  readonly sequence: number;
}

interface Candidate {
  readonly address: string;
  readonly port: number;
  readonly ssrc: number;
  sequence: number;
  seenAtMs: number;
  readonly datagrams: Buffer[];
}

/** So many packets in a row make a source: who strews packets over a range of ports hits each of them once in a while. */
const packetsInARow = 3;
/** No more wait for the choice: a source that comes while there are so many has to come again. */
const maxHeld = 5;
/** A stream has a packet every 60 ms at the least; what does not go on for so long is none. */
const rowPauseMs = 100;
/** One packet may be lost on the way. */
const maxStep = 2;
/** RTP comes from no lower port. */
const lowestPort = 1024;

/**
 * Finds the source of a stream whose SDP names an address that is not the one its packets come from. Three packets in a row of
 * one source decide; until then nobody else than the SDP's source is heard, and nobody else is sent to.
 */
export class SourceLearning {
  #confirmed = 0;
  #refused = 0;
  #candidates: Candidate[] = [];

  /** A packet came from the source that the SDP names; true if it is the right one, then. */
  confirms(): boolean {
    return ++this.#confirmed >= packetsInARow;
  }

  /** Takes a packet of another source; returns all of that source's as soon as it is the one. */
  add(packet: PacketToLearnFrom, nowMs: number): readonly Buffer[] | undefined {
    this.#forgetOld(nowMs);
    const candidate = this.#candidateOf(packet, nowMs);
    if (!candidate) return undefined;
    candidate.datagrams.push(packet.datagram);
    if (candidate.datagrams.length < packetsInARow) return undefined;
    for (const other of this.#candidates) if (other !== candidate) this.#drop(other);
    return candidate.datagrams;
  }

  /** Packets that turned out to be of no stream since this was asked last. */
  takeRefused(): number {
    const refused = this.#refused;
    this.#refused = 0;
    return refused;
  }

  /** The candidate a packet goes on with or begins; undefined if it is refused. */
  #candidateOf({ address, port, ssrc, sequence }: PacketToLearnFrom, nowMs: number): Candidate | undefined {
    const known = this.#candidates.find((one) => one.address === address && one.port === port);
    if (known) {
      const step = sequenceDelta(known.sequence, sequence);
      if (known.ssrc === ssrc && step > 0 && step <= maxStep) {
        known.sequence = sequence;
        known.seenAtMs = nowMs;
        return known;
      }
      this.#drop(known);
    }
    const held = this.#candidates.reduce((sum, { datagrams }) => sum + datagrams.length, 0);
    if (port < lowestPort || held >= maxHeld) {
      this.#refused++;
      return undefined;
    }
    const candidate: Candidate = { address, port, ssrc, sequence, seenAtMs: nowMs, datagrams: [] };
    this.#candidates.push(candidate);
    return candidate;
  }

  #forgetOld(nowMs: number): void {
    for (const candidate of this.#candidates) if (nowMs - candidate.seenAtMs > rowPauseMs) this.#drop(candidate);
  }

  #drop(candidate: Candidate): void {
    this.#refused += candidate.datagrams.length;
    this.#candidates = this.#candidates.filter((one) => one !== candidate);
  }
}
