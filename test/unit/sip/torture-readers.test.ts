import Srf from 'drachtio-srf';
import { describe, expect, it } from 'vitest';
import type { SrfRequest } from '../../../src/sip/drachtio-types.js';
import { callerIdentity } from '../../../src/sip/caller-identity.js';
import { screenInvite, screenRequire } from '../../../src/sip/invite-screen.js';
import { parseReasonHeader, parseRetryAfter } from '../../../src/sip/sip-headers.js';
import { reasonOfBye, reasonOfCancel } from '../../../src/sip/sip-cause.js';
import { userOfUri } from '../../../src/sip/sip-uri.js';
import { TORTURE_MESSAGES } from '../../fixtures/sip/torture-messages.js';

const { SipMessage } = Srf as unknown as { SipMessage: new (text: string) => object };

/** As srf would hand it over, had nobody judged it before. Undefined where srf itself cannot read it. */
function asRequest(text: string): SrfRequest | undefined {
  try {
    const message = new SipMessage(text);
    return Object.assign(message, { source_address: '127.0.0.1' }) as unknown as SrfRequest;
  } catch {
    return undefined;
  }
}

describe('what reads headers of strangers', () => {
  it.each(TORTURE_MESSAGES.map(({ name, text }) => [name, text] as const))('does not throw on %s', (_name, text) => {
    const request = asRequest(text);
    if (!request) return;
    const readers: (() => unknown)[] = [
      () => callerIdentity(request, true),
      () => callerIdentity(request, false),

      () => screenRequire(request),
      () => parseReasonHeader(request.get('Reason')),
      () => parseRetryAfter(request.get('Retry-After')),
      () => reasonOfBye(request),
      () => reasonOfCancel(request),
      // A response has no Request-URI.
      ...(text.startsWith('SIP/') ? [] : [() => screenInvite(request, () => false), () => userOfUri(request.uri)]),
    ];
    for (const read of readers) expect(read).not.toThrow();
  });

  it('most messages get that far', () => {
    expect(TORTURE_MESSAGES.filter(({ text }) => asRequest(text)).length).toBeGreaterThan(40);
  });
});
