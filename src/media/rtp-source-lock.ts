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
  /** Addresses a source may be learnt from. */
  readonly mayLearn: (address: string) => boolean;
}

/** From so many packets of the address in the SDP on, nothing else is learnt. */
const packetsUntilLock = 5;

/** Decides which datagrams belong to a stream: those from the address and port that the SDP names, and no others. */
export class RtpSourceLock {
  /** Datagrams of other sources; none of them is answered or logged. */
  foreign = 0;
  #source: RtpSource | undefined;
  #learning = false;
  #seen = 0;

  constructor(private readonly options: RtpSourceLockOptions) {}

  /** Where the stream comes from and, RTP being symmetric, goes to. */
  get source(): RtpSource | undefined {
    return this.#source;
  }

  /** Sets the source a description names; the same one again changes nothing, so that a refresh does not open the lock. */
  expect(source: RtpSource): void {
    const known = this.#described;
    if (known && isSame(known, source)) return;
    this.#described = source;
    this.#source = source;
    this.#learning = this.options.latch;
    this.#seen = 0;
  }

  /** Whether an RTP datagram belongs to the stream. `plausible`: version and payload type are those agreed on. */
  admitsRtp(address: string, port: number, plausible: boolean): boolean {
    const source = this.#source;
    if (source?.port === port && source.address === address) {
      if (this.#learning && ++this.#seen >= packetsUntilLock) this.#learning = false;
      return true;
    }
    if (source && this.#learning && plausible && this.options.mayLearn(address)) {
      this.#learning = false;
      this.#source = { address, port, rtcpPort: port + 1 };
      return true;
    }
    this.foreign++;
    return false;
  }

  /** Whether an RTCP datagram belongs to the stream. */
  admitsRtcp(address: string, port: number): boolean {
    const source = this.#source;
    if (source?.address === address && (source.rtcpPort === port || source.port === port)) return true;
    this.foreign++;
    return false;
  }

  #described: RtpSource | undefined;
}

function isSame(a: RtpSource, b: RtpSource): boolean {
  return a.address === b.address && a.port === b.port && a.rtcpPort === b.rtcpPort;
}
