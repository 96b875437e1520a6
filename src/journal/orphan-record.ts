import { createHash } from 'node:crypto';
import type { CallRecord } from '../call/call-record.js';
import { endReason } from '../call/end-reason.js';
import { ulid, type CallId } from '../lib/ids.js';
import type { OpenCall } from './open-calls.js';

/** A call that a crash left open, with an id of its own also where no call had been made of a user's connect. */
export type Orphan = OpenCall & { readonly call: CallId };

/** The id of a call that had none yet: the same at every start, so that a second crash gives it no second record. */
export function orphanId({ startMs = 0, waCalls }: OpenCall): CallId {
  const digest = createHash('sha256')
    .update(waCalls[0]?.waCallId ?? '')
    .digest();
  return ulid(Math.max(0, startMs), digest) as CallId;
}

/** The record of a call that a crash ended: what the journal knows. When the crash was nobody knows, so it ends now. */
export function orphanRecord(orphan: Orphan, nowMs: number): CallRecord {
  const { call, direction, number, trunk, waCalls, dialogs } = orphan;
  const startMs = Math.min(orphan.startMs ?? nowMs, nowMs);
  const { code, result, sipStatus, q850 } = endReason('internal');
  const waCallId = waCalls[0]?.waCallId;
  const sipCallId = dialogs.at(-1)?.sipCallId;
  return {
    version: 1,
    call,
    direction,
    ...(number !== undefined && { number }),
    ...(trunk !== undefined && { trunk }),
    start: new Date(startMs).toISOString(),
    end: new Date(nowMs).toISOString(),
    durationMs: nowMs - startMs,
    billsecMs: 0,
    endedBy: 'bridge',
    ...{ code, result, sipStatus, q850 },
    text: 'the daemon stopped unexpectedly; what it left up was ended at its next start',
    ...(waCallId !== undefined && { waCallId }),
    ...(sipCallId !== undefined && { [direction === 'user_initiated' ? 'sipCallIdB' : 'sipCallIdA']: sipCallId }),
  };
}
