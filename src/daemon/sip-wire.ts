import type { SipMessageSeen, SipRings } from '../observability/capture/sip-rings.js';
import type { HepFeed } from '../observability/hep/hep-feed.js';
import type { TracedMessage } from '../sip-server/engine.js';
import { callIdOf, type WireWatcher } from '../sip/wire-watcher.js';

interface Watchers {
  readonly sipRings: SipRings;
  readonly hep?: HepFeed | undefined;
}

/** Shows what a leg says of its Call-ID, and what is in a drachtio-server's frames, to all who watch. */
export function frameWatcher({ sipRings, hep }: Watchers): WireWatcher {
  return {
    belongs: belongsTo({ sipRings, hep }),
    seen: (message) => {
      sipRings.seen(message);
      hep?.seen(message);
    },
  };
}

/** The same where the embedded server shows every message on the wire, its own among them: frames would only repeat some. */
export function embeddedWatcher({ sipRings, hep }: Watchers): {
  readonly wire: WireWatcher;
  readonly onMessage: (message: TracedMessage) => void;
} {
  const onMessage = (traced: TracedMessage): void => {
    const message = messageOf(traced);
    if (!message) return;
    sipRings.seen(message);
    hep?.seen(message);
  };
  return { wire: { belongs: belongsTo({ sipRings, hep }) }, onMessage };
}

const belongsTo =
  ({ sipRings, hep }: Watchers): WireWatcher['belongs'] =>
  (sipCallId, call) => {
    sipRings.belongs(sipCallId, call);
    hep?.belongs(sipCallId, call);
  };

/** Undefined: it is no SIP message, such as a keep-alive. */
function messageOf({ direction, transport, remote, local, text }: TracedMessage): SipMessageSeen | undefined {
  const sipCallId = callIdOf(text);
  if (sipCallId === undefined) return undefined;
  return {
    ...{ sipCallId, text, transport, isOutgoing: direction === 'out' },
    remote: { address: remote.host, port: remote.port },
    ...(local && { local: { address: local.host, port: local.port } }),
  };
}
