/** Joins the media of a call's two legs. */
export interface MediaBridge {
  /**
   * The dialled side, whose endpoint this is, has answered and the originating one is not up yet: what it says from its answer
   * on is kept, at most for a few seconds, and is what `connect` lets flow first. Early media is dropped. Idempotent.
   */
  prepare(mediaId: string): void;
  /** Lets audio flow both ways between two endpoints of the media engine. Idempotent for the same pair. */
  connect(mediaIdA: string, mediaIdB: string): void;
  /** Stops the flow; the endpoints stay. Idempotent. */
  disconnect(): void;
  /** Plays a DTMF digit, told outside the media, at the endpoint of this id; one that also came in the media is not played twice. */
  sendDtmf(mediaId: string, digit: string, durationMs: number): void;
  /** Sets the receiver of the media watchdog: `first` nothing ever came, `idle` nothing came for too long. */
  onTimeout(listener: (kind: 'first' | 'idle') => void): void;
}
