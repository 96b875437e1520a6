import { deferred } from '../../lib/deferred.js';
import type { Pcm } from '../audio/pcm.js';
import type { Recording } from '../audio/recording.js';
import type { Playing } from '../audio/playlist.js';
import type { RtpStream } from './rtp-stream.js';
import type { SipAddress } from './sip-transport.js';
import type { SipMessage } from './sip-message.js';

/** What identifies a dialog and where its requests go (RFC 3261 §12). */
export interface DialogState {
  readonly callId: string;
  /** Our From, as this side writes it in its requests, tag included. */
  readonly local: string;
  remote: string;
  target: string;
  routes: readonly string[];
  sequence: number;
  /** Where requests are sent: the first route, or the target. */
  nextHop: SipAddress;
}

export interface PbxCallEnd {
  readonly by: 'pbx' | 'peer';
  /** Final status of a call that was never answered. */
  readonly status: number | undefined;
  readonly message: SipMessage | undefined;
}

/** When the call reached which stage; monotonic milliseconds. */
export interface PbxCallTimes {
  readonly startedAtMs: number;
  ringingAtMs?: number;
  answeredAtMs?: number;
  /** Calls we place: when the ACK went out. */
  acknowledgedAtMs?: number;
  endedAtMs?: number;
}

export interface PbxCallActions {
  /** BYE after the answer; CANCEL or a refusal before it. */
  hangup(call: PbxCall): void;
}

/** One call as the PBX sees it. */
export class PbxCall {
  readonly times: PbxCallTimes = { startedAtMs: performance.now() };
  /** Statuses of provisional responses, in order (calls we place). */
  readonly provisional: number[] = [];
  /** Requests that came within the call. */
  readonly requests: SipMessage[] = [];
  dialog: DialogState | undefined;
  readonly #ringing = deferred<undefined>();
  readonly #answered = deferred<undefined>();
  readonly #ended = deferred<PbxCallEnd>();

  constructor(
    readonly direction: 'in' | 'out',
    readonly invite: SipMessage | undefined,
    readonly rtp: RtpStream,
    private readonly actions: PbxCallActions,
  ) {}

  /** Resolves with the first 18x; pending if there is none. */
  get ringing(): Promise<void> {
    return this.#ringing.promise;
  }

  /** Resolves once the call is answered and media is set; pending if it never is. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  get ended(): Promise<PbxCallEnd> {
    return this.#ended.promise;
  }

  get isAnswered(): boolean {
    return this.times.answeredAtMs !== undefined;
  }

  get isEnded(): boolean {
    return this.times.endedAtMs !== undefined;
  }

  play(pcm: Pcm): Playing {
    return this.rtp.play(pcm);
  }

  heard(): Recording {
    return this.rtp.heard();
  }

  /** Ends the call whatever its state. Idempotent. */
  hangup(): void {
    if (!this.isEnded) this.actions.hangup(this);
  }

  nowRinging(status: number): void {
    this.provisional.push(status);
    if (status < 180) return;
    this.times.ringingAtMs ??= performance.now();
    this.#ringing.resolve(undefined);
  }

  nowAnswered(): void {
    this.times.answeredAtMs ??= performance.now();
    this.#answered.resolve(undefined);
  }

  over(end: PbxCallEnd): void {
    if (this.isEnded) return;
    this.times.endedAtMs = performance.now();
    void this.rtp.close();
    this.#ended.resolve(end);
  }
}
