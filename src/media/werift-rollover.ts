import type { SrtpSession } from 'werift';
import { sequenceDelta } from './rtp-packet.js';

const cycle = 0x1_0000;

/**
 * Gives a session the index estimation of RFC 3711 §3.3.1 for what it receives. werift's own knows a wrap of the sequence
 * numbers only if no more than 100 packets are missing there: two seconds of silence at the wrong moment, and nothing of the
 * peer can be decrypted any more. werift calls this on a copy of the stream's state, which it keeps once the packet has proved
 * authentic.
 */
export function correctRollover(session: SrtpSession): void {
  session.remoteContext.updateRolloverCount = (sequence, state) => {
    if (state.rolloverHasProcessed === true) {
      const ahead = sequenceDelta(state.lastSequenceNumber, sequence);
      const index = state.rolloverCounter * cycle + state.lastSequenceNumber + ahead;
      state.rolloverCounter = Math.max(0, Math.floor(index / cycle));
    }
    state.rolloverHasProcessed = true;
    state.lastSequenceNumber = sequence;
  };
}
