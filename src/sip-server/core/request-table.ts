import type { Dialog } from '../dialog/dialog.js';

interface Pending {
  readonly txn: string;
  readonly dialog: Dialog | undefined;
}

/** Requests that wait for a final answer, by TXN. Those of a dialog are found without a look at all the others. */
export class RequestTable<Request extends Pending> {
  readonly #byTxn = new Map<string, Request>();
  readonly #byDialog = new Map<Dialog, Set<Request>>();

  get size(): number {
    return this.#byTxn.size;
  }

  /** One with the same TXN takes the other's place: a request sent once more. */
  add(request: Request): void {
    this.delete(request.txn);
    this.#byTxn.set(request.txn, request);
    this.noteDialog(request);
  }

  /** To be called when a request that is here becomes part of a dialog. */
  noteDialog(request: Request): void {
    const { dialog } = request;
    if (!dialog) return;
    const siblings = this.#byDialog.get(dialog);
    if (siblings) siblings.add(request);
    else this.#byDialog.set(dialog, new Set([request]));
  }

  get(txn: string): Request | undefined {
    return this.#byTxn.get(txn);
  }

  has(txn: string): boolean {
    return this.#byTxn.has(txn);
  }

  /** False when there was none. */
  delete(txn: string): boolean {
    const request = this.#byTxn.get(txn);
    if (!request) return false;
    this.#byTxn.delete(txn);
    const siblings = request.dialog && this.#byDialog.get(request.dialog);
    siblings?.delete(request);
    if (request.dialog && siblings?.size === 0) this.#byDialog.delete(request.dialog);
    return true;
  }

  /** All, as they are now. */
  all(): Request[] {
    return [...this.#byTxn.values()];
  }

  /** Those of this dialog, as they are now. */
  ofDialog(dialog: Dialog): Request[] {
    return [...(this.#byDialog.get(dialog) ?? [])];
  }

  clear(): void {
    this.#byTxn.clear();
    this.#byDialog.clear();
  }
}
