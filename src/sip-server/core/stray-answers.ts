import { Dialog } from '../dialog/dialog.js';
import { MAGIC_COOKIE } from '../sip/grammar.js';
import type { SipRequest, SipResponse, WithHeaders } from '../sip/message.js';
import { cseqOf, elements, first, header, NO_BODY } from '../sip/message.js';
import { parseNameAddr, tagOf } from '../sip/name-addr.js';
import { serialise } from '../sip/serialise.js';
import { parseVia } from '../sip/via.js';
import type { Address, Flow } from '../transport/flow.js';
import { NO_APP } from '../wire/app-session.js';
import type { Core } from './core.js';
import { inDialogRequest, newBranch, viaHeader } from './request-text.js';

/** Branches and tags as this server makes them: a random part of fixed length in hex. */
const OUR_BRANCH = new RegExp(`^${MAGIC_COOKIE}[0-9a-f]{24}$`);
const OUR_TAG = /^[0-9a-f]{16}$/;
const MAX_PER_SECOND = 5;
const REASON = 'SIP ;cause=481 ;text="no such call"';

/**
 * Ends calls that only the peer knows of: its 2xx answers an INVITE that bears our marks, but that no transaction, dialog
 * or record tells of, since a crash took them. It is acknowledged and hung up. Both go where the 2xx came from, whatever it
 * says, and to a few a second only, so that nobody can be made a target with forged ones.
 */
export class StrayAnswers {
  #secondFromMs = 0;
  #inSecond = 0;

  constructor(
    private readonly core: Core,
    private readonly launchBye: (bye: SipRequest, flow: Flow) => void,
  ) {}

  /** `shown` is what our Via showed on this flow. */
  end(response: SipResponse, flow: Flow, shown: Address): void {
    const cseq = cseqOf(response);
    const isAnswer = response.status >= 200 && response.status < 300 && cseq?.method === 'INVITE';
    if (!isAnswer || !isOurs(response, shown) || !this.#hasRoom()) return;
    const dialog = dialogOf(response, flow);
    const ack = inDialogRequest(dialog, viaHeader(flow, shown, newBranch(this.core)), {
      method: 'ACK',
      seq: cseq.number,
      headers: [],
      body: NO_BODY,
    });
    flow.send(serialise(ack));
    const bye = inDialogRequest(dialog, viaHeader(flow, shown, newBranch(this.core)), {
      method: 'BYE',
      seq: dialog.nextSeq(),
      headers: [header('Reason', REASON)],
      body: NO_BODY,
    });
    this.core.logger.info('answer to an INVITE nobody knows of ended', { callId: dialog.callId });
    this.launchBye(bye, flow);
  }

  #hasRoom(): boolean {
    const nowMs = this.core.clock.monotonicMs();
    if (nowMs - this.#secondFromMs >= 1000) {
      this.#secondFromMs = nowMs;
      this.#inSecond = 0;
    }
    this.#inSecond++;
    return this.#inSecond <= MAX_PER_SECOND;
  }
}

function isOurs(response: WithHeaders, shown: Address): boolean {
  const vias = elements(response, 'via');
  const via = vias.length === 1 ? parseVia(vias[0] ?? '') : undefined;
  const isHere = via?.host.replace(/^\[|\]$/g, '') === shown.host && via.port === shown.port;
  return (
    isHere && OUR_BRANCH.test(via.params.get('branch') ?? '') && OUR_TAG.test(tagOf(first(response, 'from')) ?? '')
  );
}

function dialogOf(response: SipResponse, flow: Flow): Dialog {
  const uri = parseNameAddr(first(response, 'to') ?? '')?.uri ?? '';
  const invite: SipRequest = { ...response, kind: 'request', method: 'INVITE', uri, version: '2.0' };
  const dialog = Dialog.calling(invite, NO_APP, '', flow);
  dialog.learn(response, flow);
  return dialog;
}
