import { ownText } from '../sip/own-text.js';
import type { KeptKeys, ServerTransaction } from '../transaction/transaction-table.js';
import type { Core } from './core.js';

/**
 * What becomes of a request from the network once its transaction is over. It outlives the request by 64·T1: all it holds
 * are a few words in memory of their own, nothing of the message.
 */
export class ServerTransactionUser {
  readonly txn: string;
  readonly #callId: string;

  constructor(
    private readonly core: Core,
    private readonly keys: KeptKeys,
    txn: string,
    private readonly method: string,
    callId: string,
  ) {
    this.txn = ownText(txn);
    this.#callId = ownText(callId);
  }

  onTerminated(transaction: ServerTransaction): void {
    this.core.transactions.removeServer(this.keys, transaction);
  }

  onAcknowledged(): void {
    this.core.record.ended(this.txn);
  }

  onAckTimeout(): void {
    this.core.logger.info('no ACK to a refusal', { callId: this.#callId });
    this.core.record.ended(this.txn);
  }

  onUnanswered(): void {
    this.core.logger.warn('application never answered', { method: this.method, callId: this.#callId });
    this.core.serverRequests.delete(this.txn);
  }
}
