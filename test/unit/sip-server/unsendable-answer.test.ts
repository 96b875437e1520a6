import { expect, it } from 'vitest';
import { FakeClock, guardedClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { Core } from '../../../src/sip-server/core/core.js';
import { RequestTable } from '../../../src/sip-server/core/request-table.js';
import type { UserAgentClient } from '../../../src/sip-server/core/uac.js';
import { UserAgentServer } from '../../../src/sip-server/core/uas.js';
import { NO_CALL_RECORD } from '../../../src/sip-server/recovery/call-record.js';
import type { SipRequest } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { DEFAULT_TIMERS, transactionLifeMs } from '../../../src/sip-server/timers.js';
import { EndedTransactions } from '../../../src/sip-server/transaction/ended-transactions.js';
import { serverKeys, TransactionTable } from '../../../src/sip-server/transaction/transaction-table.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';
import type { ClientSession } from '../../../src/sip-server/wire/client-session.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const INVITE = parseMessage(
  Buffer.from(
    [
      'INVITE sip:us@192.0.2.1 SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabc',
      'From: <sip:a@192.0.2.9>;tag=theirs',
      'To: <sip:us@192.0.2.1>',
      'Call-ID: c1',
      'CSeq: 7 INVITE',
      '\r\n',
    ].join('\r\n'),
  ),
)!.message as SipRequest;

it('an INVITE whose answers cannot be sent does not hold a place for ever', () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const core = {
    clock: guardedClock(clock, (err) => logger.error('sip timer failed', { err })),
    ids: systemIds,
    logger,
    timers: DEFAULT_TIMERS,
    transactions: new TransactionTable(),
    ended: new EndedTransactions(clock, DEFAULT_TIMERS),
    serverRequests: new RequestTable(),
    record: NO_CALL_RECORD,
  } as unknown as Core;
  const flow = {
    protocol: 'udp',
    reliable: false,
    send: () => {
      throw new Error('no way out');
    },
  } as unknown as Flow;
  const uas = new UserAgentServer(core, null as unknown as UserAgentClient);
  const arrival = {
    request: INVITE,
    flow,
    keys: serverKeys(INVITE, 'INVITE'),
    shown: { host: '192.0.2.1', port: 5060 },
  };
  expect(() => uas.open(arrival, null as unknown as ClientSession, undefined)).toThrow('no way out');
  expect(core.serverRequests.size).toBe(1);
  clock.advance(DEFAULT_TIMERS.appSilenceMs);
  expect(core.serverRequests.size).toBe(0);
  clock.advance(transactionLifeMs(DEFAULT_TIMERS));
  expect(core.transactions.size).toBe(0);
  expect(clock.armed).toBe(0);
});
