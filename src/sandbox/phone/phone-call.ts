import { BridgeError } from '../../lib/bridge-error.js';
import { deferred } from '../../lib/deferred.js';
import type { Pcm } from '../audio/pcm.js';
import { dtmfTone } from '../audio/signals.js';
import type { WaCall, WaCallEnd, WaDirection } from '../graph/call-book.js';
import type { Exchange } from '../graph/exchange.js';
import type { Playing } from '../audio/playlist.js';
import type { PhoneMedia } from './phone-media.js';

/** When the call reached which stage; monotonic milliseconds. */
export interface PhoneCallTimes {
  readonly startedAtMs: number;
  answeredAtMs?: number;
  endedAtMs?: number;
}

/** Keys cannot be pressed by RFC 4733 with this libwebrtc. */
export class NoDtmfSenderError extends BridgeError {
  constructor() {
    super(
      'SIP2WA_SANDBOX_NO_DTMF',
      '@roamhq/wrtc exposes no DTMF sender, so the sandbox phone cannot press keys by RFC 4733; ask for in-band tones',
    );
  }
}

const KEY_MS = 120;

/** One call as the user sees it. */
export class PhoneCall {
  readonly times: PhoneCallTimes = { startedAtMs: performance.now() };
  /** RTP that came before the call was answered. WhatsApp's clients count such a call as answered: it must be 0. */
  packetsBeforeAnswer = 0;
  readonly #answered = deferred<undefined>();
  readonly #ended = deferred<WaCallEnd>();

  constructor(
    private readonly call: WaCall,
    private readonly exchange: Exchange,
    readonly media: PhoneMedia,
  ) {
    void media.failed.then(() => this.#mediaFailed());
  }

  /** `wacid.…` */
  get id(): string {
    return this.call.id;
  }

  get direction(): WaDirection {
    return this.call.direction;
  }

  /** Resolves when both may talk: the business accepted, or the user picked up. Pending if that never happens. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  /** Resolves when the call is over, and says how. */
  get ended(): Promise<WaCallEnd> {
    return this.#ended.promise;
  }

  /** The user picks up: ACCEPTED goes out. */
  async accept(): Promise<void> {
    await this.nowTalking();
    this.exchange.userAccepts(this.call);
  }

  /** The user declines: REJECTED and terminate go out. */
  reject(): void {
    this.exchange.userRejects(this.call);
  }

  /** The user hangs up, or gives up while it rings: terminate goes out. */
  hangup(): void {
    this.exchange.end(this.call, { by: 'user', status: 'COMPLETED', rejected: false, timedOut: false });
  }

  /** The phone lost its media; the business is told with a FAILED terminate. */
  fail(code: 138020 | 138021 | 138022 | 138023, message: string): void {
    const error = { code, message, details: message };
    this.exchange.end(this.call, { by: 'network', status: 'FAILED', rejected: false, timedOut: false, error });
  }

  /** Speaks `pcm` once, behind what is being spoken. Heard only once the call is answered. */
  play(pcm: Pcm): Playing {
    return this.media.play(pcm);
  }

  /**
   * Presses keys. By RFC 4733 as WhatsApp's phones do, or `inBand` as tones in the audio.
   * @throws NoDtmfSenderError if RFC 4733 is wanted and libwebrtc's binding has no DTMF sender (0.10.0 has none)
   */
  async pressKeys(keys: string, how: 'rfc4733' | 'inBand' = 'rfc4733'): Promise<void> {
    if (how === 'rfc4733') {
      if (!this.media.sendDtmf(keys, KEY_MS)) throw new NoDtmfSenderError();
      return;
    }
    const pressed = Array.from(keys, (key) => this.media.play(dtmfTone(48_000, key, KEY_MS)));
    await Promise.all(pressed.map(({ finished }) => finished));
  }

  /** The line is open: what came before was too early, what is said from now on is heard. */
  async nowTalking(): Promise<void> {
    if (this.times.answeredAtMs !== undefined || this.times.endedAtMs !== undefined) return;
    this.times.answeredAtMs = performance.now();
    this.packetsBeforeAnswer = await this.media.packetsReceived();
    this.media.openMicrophone();
    this.#answered.resolve(undefined);
  }

  /** The exchange says that the call is over. */
  over(end: WaCallEnd): void {
    this.times.endedAtMs ??= performance.now();
    this.media.close();
    this.#ended.resolve(end);
  }

  /** The client cannot reach the relay, before the answer; or lost it later (Meta's 138020, 138021). */
  #mediaFailed(): void {
    if (this.times.endedAtMs !== undefined) return;
    if (this.times.answeredAtMs === undefined) this.fail(138020, 'Client could not reach the relay');
    else this.fail(138021, 'Client received no media');
  }
}
