import type { Clock } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { DialogTable } from '../dialog/dialog-table.js';
import type { SessionPolicy } from '../dialog/session-timer-terms.js';
import type { CallRecord } from '../recovery/call-record.js';
import type { SipTimers } from '../timers.js';
import type { EndedTransactions } from '../transaction/ended-transactions.js';
import type { TransactionTable } from '../transaction/transaction-table.js';
import type { Resolver } from '../transport/resolver.js';
import type { Transports } from '../transport/transports.js';
import type { ClientSession } from '../wire/client-session.js';
import type { AnswerChallenge } from './answer-challenge.js';
import type { RegisteredFlows } from './registered-flows.js';
import type { RequestTable } from './request-table.js';
import type { ClientRequest, ServerRequest } from './requests.js';

/** What all parts of the engine share. */
export interface Core {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly timers: SipTimers;
  readonly session: SessionPolicy;
  readonly transports: Transports;
  readonly resolver: Resolver;
  readonly transactions: TransactionTable;
  readonly ended: EndedTransactions;
  readonly dialogs: DialogTable;
  /** Connections that lead to contacts. */
  readonly registered: RegisteredFlows;
  /** Requests from the network that wait for the application's final answer. */
  readonly serverRequests: RequestTable<ServerRequest>;
  /** Requests of the application that wait for a final answer from the network. */
  readonly clientRequests: RequestTable<ClientRequest>;
  /** What is open, for the process that comes after a crash. */
  readonly record: CallRecord;
  /** Asked when a session refresh of the server's own is challenged. */
  readonly answerChallenge: AnswerChallenge | undefined;
  /** The application whose turn it is for this method. */
  pick(method: string): ClientSession | undefined;
}

/** A fresh UUID (RFC 9562 version 4) from the injected source. */
export function uuid(ids: IdSource): string {
  const hex = ids.hex(16);
  const variant = '89ab'.charAt(parseInt(hex.charAt(16), 16) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
