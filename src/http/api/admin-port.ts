import type { Readable } from 'node:stream';
import type {
  CallDetailOut,
  CallOut,
  CallsQuery,
  CaptureRequest,
  DrainOut,
  LogLevelRequest,
  LogLevelsOut,
  NumberOut,
  ReloadOut,
  StatusOut,
  TrunkOut,
} from './schemas.js';

/** What the admin API can ask of the daemon. Whatever cannot be done is thrown as a ProblemError. */
export interface AdminPort {
  status(): StatusOut;
  calls(query: CallsQuery): readonly CallOut[];
  /** By its id, or by a beginning that no other known call has. */
  call(idOrPrefix: string): CallDetailOut;
  /** By its whole id. */
  hangup(id: string): void;
  /** By its whole id. What is read of it slower than it grows is left out. */
  capture(id: string, request: CaptureRequest): Readable;
  trunks(): readonly TrunkOut[];
  numbers(): readonly NumberOut[];
  /** Calls that did not succeed, the latest first. */
  failures(limit: number): readonly CallOut[];
  drain(): DrainOut;
  startDrain(stop: boolean): DrainOut;
  endDrain(): DrainOut;
  /** Reads the configuration anew. */
  reload(): Promise<ReloadOut>;
  logLevels(): LogLevelsOut;
  setLogLevel(request: LogLevelRequest): LogLevelsOut;
}
