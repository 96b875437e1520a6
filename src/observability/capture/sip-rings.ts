import type { CallId } from '../../lib/ids.js';
import type { Place } from './udp-packet.js';

/** A SIP message as it was on the wire. */
export interface SipMessageSeen {
  readonly sipCallId: string;
  readonly text: string;
  readonly isOutgoing: boolean;
  /** udp, tcp, tls */
  readonly transport: string;
  readonly remote: Place;
  /** Our side of it, where that is known. */
  readonly local?: Place | undefined;
}

export interface SipMessageKept extends SipMessageSeen {
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
}

interface Ring {
  readonly messages: SipMessageKept[];
  readonly sipCallIds: Set<string>;
  characters: number;
}

export interface SipRingLimits {
  /** Of one call. */
  readonly messages: number;
  readonly characters: number;
  /** Of all together. */
  readonly allCharacters: number;
  readonly calls: number;
}

const LIMITS: SipRingLimits = { messages: 64, characters: 65_536, allCharacters: 32 * 2 ** 20, calls: 1_000 };
/** What began a call is not pushed out by what goes on in it: its SDP tells how the audio is to be read. */
const FIRST_KEPT = 8;
/** Messages of nobody's that are kept for a moment: an INVITE and its 100 are seen before it is known to be a call. */
const UNCLAIMED = 64;

/** The last SIP messages of each call, whoever handles SIP. Bounded in all directions; the call that said nothing for longest goes first. */
export class SipRings {
  /** The one that said something last is the last. */
  readonly #calls = new Map<CallId, Ring>();
  readonly #callOf = new Map<string, CallId>();
  readonly #listeners = new Map<CallId, Set<(message: SipMessageKept) => void>>();
  #unclaimed: SipMessageKept[] = [];
  #characters = 0;

  constructor(
    private readonly nowUs: () => number,
    private readonly limits = LIMITS,
  ) {}

  /** Characters that are kept. */
  get characters(): number {
    return this.#characters;
  }

  /** Messages with this Call-ID are a call's. */
  belongs(sipCallId: string, call: CallId): void {
    if (sipCallId === '') return;
    this.#callOf.set(sipCallId, call);
    this.#ringOf(call).sipCallIds.add(sipCallId);
    const early = this.#unclaimed.filter((message) => message.sipCallId === sipCallId);
    if (early.length === 0) return;
    this.#unclaimed = this.#unclaimed.filter((message) => message.sipCallId !== sipCallId);
    for (const message of early) this.#keep(call, message);
  }

  seen(message: SipMessageSeen): void {
    if (message.text.length > this.limits.characters) return;
    const kept = { ...message, atUs: this.nowUs() };
    const call = this.#callOf.get(message.sipCallId);
    if (call !== undefined) return this.#keep(call, kept);
    if (this.#unclaimed.push(kept) > UNCLAIMED) this.#unclaimed.shift();
  }

  /** The oldest first; empty when nothing is known of it (any more). */
  of(call: CallId): readonly SipMessageKept[] {
    return [...(this.#calls.get(call)?.messages ?? [])];
  }

  /** Tells of each message of a call from now on; returns the function that ends it. */
  follow(call: CallId, listener: (message: SipMessageKept) => void): () => void {
    const listeners = this.#listeners.get(call) ?? new Set();
    this.#listeners.set(call, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(call);
    };
  }

  #ringOf(call: CallId): Ring {
    const known = this.#calls.get(call);
    const ring = known ?? { messages: [], sipCallIds: new Set<string>(), characters: 0 };
    this.#calls.delete(call);
    this.#calls.set(call, ring);
    if (!known && this.#calls.size > this.limits.calls) this.#forgetOne();
    return ring;
  }

  #keep(call: CallId, message: SipMessageKept): void {
    const ring = this.#ringOf(call);
    ring.messages.push(message);
    this.#count(ring, message.text.length);
    const { messages, characters, allCharacters } = this.limits;
    while (ring.messages.length > messages || ring.characters > characters) {
      const [dropped] = ring.messages.splice(Math.max(0, Math.min(FIRST_KEPT, ring.messages.length - 2)), 1);
      this.#count(ring, -(dropped?.text.length ?? 0));
    }
    while (this.#characters > allCharacters && this.#calls.size > 1) this.#forgetOne();
    for (const listener of this.#listeners.get(call) ?? []) listener(message);
  }

  #count(ring: Ring, characters: number): void {
    ring.characters += characters;
    this.#characters += characters;
  }

  #forgetOne(): void {
    const [oldest] = this.#calls;
    if (!oldest) return;
    const [call, ring] = oldest;
    this.#calls.delete(call);
    this.#characters -= ring.characters;
    for (const sipCallId of ring.sipCallIds) this.#callOf.delete(sipCallId);
  }
}
