import type { SipRequest } from '../sip/message.js';
import { replaceFirst } from '../sip/serialise.js';
import type { Core } from './core.js';
import { openWay } from './next-hop.js';
import { newBranch, viaHeader } from './request-text.js';
import type { ClientRequest } from './requests.js';
import type { Way } from './way.js';

/** What this needs of the user agent client. */
export interface FailoverOutlet {
  /** The same request on another way. */
  readonly launchAgain: (record: ClientRequest, request: SipRequest, way: Way) => void;
  /** The request fails as if this had been answered. */
  readonly fail: (record: ClientRequest, status: number) => void;
}

/** A request other than INVITE waits this many T1 for a sign of life where it could go elsewhere, not 64. */
const TRIAL_T1 = 8;

/**
 * RFC 3263 §4.3: what fails by transport, time-out or 503 before the application has heard anything of it goes to the next
 * place of the same name: the same request with a branch of its own.
 */
export class Failover {
  constructor(
    private readonly core: Core,
    private readonly outlet: FailoverOutlet,
  ) {}

  /** To be called when a request has left: a silent peer must not use up the time in which another could answer. */
  watch(record: ClientRequest): void {
    if (record.request.method === 'INVITE' || record.others.length === 0) return;
    this.core.clock.after(TRIAL_T1 * this.core.timers.t1Ms, () => {
      if (record.provisional || !this.#isCurrent(record) || !this.tryNext(record, 408)) return;
      record.transaction?.terminate();
    });
  }

  /** False when there is nowhere else to go, or it is too late; then the request has failed. `status` says with what. */
  tryNext(record: ClientRequest, status: number): boolean {
    const { others } = record;
    if (others.length === 0 || record.lastProvisional || record.cancel !== 'none' || !this.#isCurrent(record))
      return false;
    record.others = [];
    openWay(this.core, others)
      .then((way) => this.#relaunch(record, way))
      .catch((err: unknown) => {
        this.core.logger.warn('sip request could not be sent elsewhere', { err });
        this.outlet.fail(record, status);
      });
    return true;
  }

  #relaunch(record: ClientRequest, way: Way): void {
    if (!this.#isCurrent(record) || record.cancel !== 'none') {
      way.flow.release();
      return this.outlet.fail(record, 487);
    }
    const { method, headers } = record.request;
    const { host, port } = way.flow.remote;
    this.core.logger.info('sip request goes to the next server', { method, remote: `${host}:${port}` });
    const via = viaHeader(way.flow, way.shown, newBranch(this.core)).value;
    this.outlet.launchAgain(record, { ...record.request, headers: replaceFirst(headers, 'via', via) }, way);
  }

  #isCurrent(record: ClientRequest): boolean {
    return this.core.clientRequests.get(record.txn) === record;
  }
}
