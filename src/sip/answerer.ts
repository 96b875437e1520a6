import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import type { SrfResponse } from './drachtio-types.js';
import { EarlySession } from './early-session.js';
import type { LegMedia } from './leg-media.js';
import { opaqueOf } from './opaque-header.js';
import type { InviteOutcome } from './outbound-invite.js';
import { sdpOf } from './session-body.js';

/** Whoever answers a call of ours at the PBX: where it is, what it wants carried along, and the media that its answers agree on. */
export class Answerer {
  #address = '';
  /** What the PBX wants Meta to carry along: its last word on it counts. */
  #opaque: string | undefined;
  #answer: string | undefined;
  readonly #early: EarlySession;

  constructor(
    media: LegMedia,
    codecs: readonly PbxCodec[],
    private readonly logger: Logger,
  ) {
    this.#early = new EarlySession(media, codecs, logger);
  }

  /** Empty as long as nothing came. */
  get address(): string {
    return this.#address;
  }

  get opaque(): string | undefined {
    return this.#opaque;
  }

  provisional({ sdp, from, opaque, tag, isReliable }: Extract<InviteOutcome, { type: 'provisional' }>): void {
    this.#address = from;
    if (sdp !== '') this.#early.answered(tag, { sdp, isReliable });
    this.#opaque = opaque ?? this.#opaque;
  }

  /** An UPDATE before the final response. */
  update({ request, response, contact }: Extract<InviteOutcome, { type: 'update' }>): void {
    this.#early.update(request, response, contact === undefined ? {} : { Contact: contact });
  }

  refused(from: string): void {
    if (from !== '') this.#address = from;
  }

  /** Its 200 is there. */
  accepted(response: SrfResponse): void {
    this.#address = response.source_address;
    this.#answer = sdpOf(response);
    this.#opaque = opaqueOf(response, this.logger) ?? this.#opaque;
  }

  /**
   * Applies the answer of the branch with this tag.
   * @throws Error when it cannot be used
   */
  settle(tag: string): Promise<void> {
    return this.#early.settle(tag, this.#answer);
  }
}
