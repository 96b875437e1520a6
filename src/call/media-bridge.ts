/** Joins the media of a call's two legs. */
export interface MediaBridge {
  /**
   * The dialled side has answered and the originating one is not up yet: what the dialled side says from now on is kept, at
   * most for a few seconds, and is what `connect` lets flow first. What it said before is dropped. Idempotent for the same pair.
   */
  prepare(mediaIdA: string, mediaIdB: string): void;
  /** Lets audio flow both ways between two endpoints of the media engine. Idempotent for the same pair. */
  connect(mediaIdA: string, mediaIdB: string): void;
  /** Stops the flow; the endpoints stay. Idempotent. */
  disconnect(): void;
  /** Sets the receiver of the media watchdog: `first` nothing ever came, `idle` nothing came for too long. */
  onTimeout(listener: (kind: 'first' | 'idle') => void): void;
}
