import type { Connection, StunProtocol } from 'werift';
import { MediaError } from './media-error.js';

/**
 * What we use of werift beyond its typed surface. The version is pinned exactly; the checks below refuse any other shape, so
 * that an update cannot silently take the guard out of the path.
 */
export interface ConnectionInternals {
  readonly protocols: StunProtocol[];
  /** A nomination request is under way. */
  nominating: boolean;
  /** RFC 8445 §5.2.7. */
  tieBreaker: bigint;
  /** Takes requests and data of a protocol into the agent. */
  ensureProtocol(protocol: StunProtocol): void;
}

/** The inlet of a STUN protocol: what its own socket would call. */
export interface ProtocolInternals {
  datagramReceived(data: Buffer, from: readonly [string, number]): void;
}

/** @throws MediaError `internal` if werift's ICE agent is not built as expected. */
export function connectionInternals(connection: Connection): ConnectionInternals {
  const internals = connection as unknown as ConnectionInternals;
  const isAsExpected =
    Array.isArray(internals.protocols) &&
    typeof internals.nominating === 'boolean' &&
    typeof internals.tieBreaker === 'bigint' &&
    typeof internals.ensureProtocol === 'function';
  if (!isAsExpected) throw new MediaError('internal', 'the ICE agent of werift is not built as expected');
  return internals;
}

/** @throws MediaError `internal` if werift's STUN protocol is not built as expected. */
export function protocolInternals(protocol: StunProtocol): ProtocolInternals {
  const internals = protocol as unknown as ProtocolInternals;
  if (typeof internals.datagramReceived !== 'function') {
    throw new MediaError('internal', 'the STUN protocol of werift is not built as expected');
  }
  return internals;
}
