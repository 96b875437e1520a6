import type { SipRequest } from '../sip/message.js';
import { elements } from '../sip/message.js';
import { parseVia } from '../sip/via.js';
import type { Flow } from '../transport/flow.js';
import { answerElsewhere } from './answer-elsewhere.js';
import type { Core } from './core.js';

/**
 * The way responses go (RFC 3261 §18.2.2): the connection the request came on; when that is gone, see
 * `answerElsewhere`. Datagrams go back to their source (RFC 3581). `maddr` is ignored: it would
 * let a stranger direct our answers at a third party.
 */
export function replyFlow(core: Core, request: SipRequest, flow: Flow): Flow {
  if (!flow.reliable) return flow;
  const via = parseVia(elements(request, 'via')[0] ?? '');
  const send = (bytes: Buffer): void => {
    if (flow.open) return flow.send(bytes);
    void answerElsewhere(core, flow, via, bytes);
  };
  return {
    protocol: flow.protocol,
    reliable: true,
    remote: flow.remote,
    local: flow.local,
    get open() {
      return flow.open;
    },
    send,
    onFailure: (callback) => flow.onFailure(callback),
    release: () => flow.release(),
  };
}
