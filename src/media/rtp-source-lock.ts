import type { RtpFields } from './rtp-packet.js';
import { SourceLearning } from './source-learning.js';

/** Where a stream is expected from: address and port of the SDP. */
export interface RtpSource {
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number;
}

export interface RtpSourceLockOptions {
  /**
   * Learn the source from the first packets instead of holding to the SDP: for PBXs behind NAT. Off by default, since it
   * lets whoever is first take over the stream.
   */
  readonly latch: boolean;
  /** Addresses that may be sent to, and that a source may be learnt from. */
  readonly mayLearn: (address: string) => boolean;
}

/**
 * Decides which datagrams belong to a stream: those from the address and port that the SDP names, and no others. With `latch`
 * another source may take their place once for each description that differs from the last: see `SourceLearning`.
 */
export class RtpSourceLock {
  /** Datagrams of other sources; none of them is answered or logged. */
  foreign = 0;
  #source: RtpSource | undefined;
  #described: RtpSource | undefined;
  #learning: SourceLearning | undefined;

  constructor(private readonly options: RtpSourceLockOptions) {}

  /** Where the stream comes from and, RTP being symmetric, goes to; undefined while nothing may be sent yet. */
  get source(): RtpSource | undefined {
    return this.#source;
  }

  /** Sets the source a description names; the same one again changes nothing, so that a refresh does not open the lock. */
  expect(source: RtpSource): void {
    const known = this.#described;
    if (known && isSame(known, source)) return;
    this.#described = source;
    const { latch, mayLearn } = this.options;
    // A PBX behind NAT names an address that is only good over there: nothing goes out before the real one is known.
    this.#source = mayLearn(source.address) ? source : undefined;
    this.#learning = latch ? new SourceLearning() : undefined;
  }

  /**
   * Whether an RTP datagram belongs to the stream. `fields`: what its header says if version and payload type are those agreed
   * on. When it completes the learning, it and those before it are in `takeLearnt`, to be asked for again.
   */
  admitsRtp(
    datagram: Buffer,
    address: string,
    port: number,
    fields: Readonly<RtpFields> | undefined,
    nowMs: number,
  ): boolean {
    const source = this.#source;
    if (source?.port === port && source.address === address) {
      if (this.#learning && fields && this.#learning.confirms()) this.#learning = undefined;
      return true;
    }
    if (this.#learning && fields && this.options.mayLearn(address)) {
      // Its memory is only its own until this returns.
      this.#learn(this.#learning, { datagram: Buffer.from(datagram), address, port, ...fields }, nowMs);
    } else this.foreign++;
    return false;
  }

  /** What came from the source that has just been learnt, once. */
  takeLearnt(): readonly Buffer[] {
    const learnt = this.#learnt;
    if (learnt.length > 0) this.#learnt = nothing;
    return learnt;
  }

  /** Whether an RTCP datagram belongs to the stream. */
  admitsRtcp(address: string, port: number): boolean {
    const source = this.#source;
    if (source?.address === address && (source.rtcpPort === port || source.port === port)) return true;
    this.foreign++;
    return false;
  }

  #learn(learning: SourceLearning, packet: Parameters<SourceLearning['add']>[0], nowMs: number): void {
    const learnt = learning.add(packet, nowMs);
    this.foreign += learning.takeRefused();
    if (!learnt) return;
    this.#learning = undefined;
    this.#learnt = learnt;
    const { address, port } = packet;
    const described = this.#described;
    // RTCP on the RTP port (RFC 5761) stays there, any other is next to it: what else NAT may do nobody can know.
    this.#source = { address, port, rtcpPort: described?.rtcpPort === described?.port ? port : port + 1 };
  }

  #learnt: readonly Buffer[] = nothing;
}

const nothing: readonly Buffer[] = [];

function isSame(a: RtpSource, b: RtpSource): boolean {
  return a.address === b.address && a.port === b.port && a.rtcpPort === b.rtcpPort;
}
