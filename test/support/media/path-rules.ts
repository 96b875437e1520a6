import { datagramKind } from '../../../src/media/source-guard.js';
import type { RelayRule } from '../udp-relay.js';
import { Dice } from '../dice.js';

export interface LossyPath {
  readonly share: number;
  readonly delayMs: number;
  /** Packets overtake each other by up to twice this. */
  readonly spreadMs: number;
  /** DTLS comes through in its order: for a lite peer, whose own handshake is not what is tested and could not do without. */
  readonly keepsHandshake?: boolean;
}

/** A path as bad as it is told to be; one generator for all that goes through, so that a seed names a run. */
export function lossy(
  seed: number,
  { share, delayMs, spreadMs, keepsHandshake = false }: LossyPath,
): { share: number; readonly rule: RelayRule } {
  const dice = new Dice(seed);
  const path: { share: number; readonly rule: RelayRule } = {
    share,
    rule: (datagram) => {
      const isLost = dice.next() < path.share;
      const jitterMs = (2 * dice.next() - 1) * spreadMs;
      if (keepsHandshake && datagramKind(datagram) === 'dtls') return [delayMs];
      return isLost ? 0 : [delayMs + jitterMs];
    },
  };
  return path;
}

/** A path that lets nothing through until it is opened. */
export function openPath(isOpen: boolean): { isOpen: boolean; readonly rule: RelayRule } {
  const path = { isOpen, rule: () => (path.isOpen ? 1 : 0) };
  return path;
}
