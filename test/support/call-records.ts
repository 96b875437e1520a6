import type { CallRecord } from '../../src/call/call-record.js';
import { endReason } from '../../src/call/end-reason.js';
import type { LegQuality } from '../../src/call/media-quality.js';
import type { CallId } from '../../src/lib/ids.js';

/** The record of an answered call. */
export function recordOf(call: string, more: Partial<CallRecord> = {}): CallRecord {
  const { code, sipStatus, q850, result } = endReason('hangup');
  return {
    version: 1,
    call: call as CallId,
    direction: 'user_initiated',
    number: 'sales',
    user: '+4930123456',
    start: '2026-11-22T11:00:00.000Z',
    answer: '2026-11-22T11:00:02.000Z',
    end: '2026-11-22T11:00:12.000Z',
    durationMs: 12_000,
    billsecMs: 10_000,
    endedBy: 'a',
    code,
    sipStatus,
    q850,
    result,
    ...more,
  };
}

const direction = { packets: 500, lost: 2, jitterAvgMs: 1.5, jitterMaxMs: 7, mosMin: 4.1, mosAvg: 4.25 };
const audio = { ...direction, levelAvgDbfs: -21, levelMaxDbfs: -12 };
const leg: LegQuality = { codec: 'opus', received: audio, sent: audio, roundTripAvgMs: 30, roundTripMaxMs: 44 };

/** A record in which every field is there. */
export const fullRecord: Required<CallRecord> = {
  ...(recordOf('01JDB2ZV4QXK0000000000000A') as Required<CallRecord>),
  userId: 'US.1',
  trunk: 'pbx',
  caller: '…123',
  divertedBy: '…456',
  metaCode: 138006,
  text: 'Normal',
  waCallId: 'wacid.1',
  metaStart: '2026-11-22T11:00:02.000Z',
  metaEnd: '2026-11-22T11:00:12.000Z',
  metaDurationS: 10,
  metaStatus: 'COMPLETED',
  ctaPayload: 'button',
  deeplinkPayload: 'link',
  opaque: 'order 7',
  sipCallIdA: 'a@example',
  sipCallIdB: 'b@example',
  codec: 'PCMA',
  quality: { whatsapp: leg, pbx: { ...leg, codec: 'PCMA' } },
  srtp: 'AES_CM_128_HMAC_SHA1_80',
};
