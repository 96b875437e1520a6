import type { SipServer, Target, Trunk } from '../../routing/types.js';
import type { SrfHeaders, SrfRequest } from '../drachtio-types.js';
import { placeOfUri, readReferTo, referredBy, type NotFollowed } from './refer-to.js';
import { formatReplaces } from './replaces.js';
import { serverAt, type Surroundings } from './trunk-place.js';

/** The call that a REFER asks for. */
export interface TransferPlan {
  readonly target: Target;
  /** What its INVITE says beyond the usual. */
  readonly headers: SrfHeaders;
  /** The referrer wants no NOTIFY (RFC 4488). */
  readonly isSilent: boolean;
}

export type PlannedTransfer =
  { readonly ok: true; readonly plan: TransferPlan } | { readonly ok: false; readonly refusal: NotFollowed };

export interface TransferScope {
  readonly trunk: Trunk;
  readonly home: SipServer;
  readonly addressesOf: Surroundings['addressesOf'];
  /** Whether a dialog with this Call-ID is one of ours. */
  readonly isOurs: (callId: string) => boolean;
}

/**
 * Decides what to make of a REFER. Only the trunk that it came from is called. Joining two WhatsApp users, which is what a
 * Replaces that names a dialog of ours comes down to, is declined: see decision 0245.
 */
export function planTransfer(refer: SrfRequest, scope: TransferScope): PlannedTransfer {
  const read = readReferTo(refer.get('Refer-To'));
  if (!read.ok) return read;
  const { to } = read;
  const server = serverAt(to, surroundings(refer, scope));
  if (!server) return { ok: false, refusal: { status: 403, why: 'Refer-To is not at the trunk' } };
  if (to.replaces && scope.isOurs(to.replaces.callId)) {
    return { ok: false, refusal: { status: 603, why: 'Replaces names a call of ours' } };
  }
  const by = referredBy(refer.get('Referred-By'));
  const headers: SrfHeaders = {
    ...(by === undefined ? {} : { 'Referred-By': by }),
    ...(to.replaces ? { Replaces: formatReplaces(to.replaces), Require: 'replaces' } : {}),
  };
  const isSilent = /^\s*false\b/i.test(refer.get('Refer-Sub') ?? '');
  return { ok: true, plan: { target: { trunk: scope.trunk, server, user: to.user }, headers, isSilent } };
}

function surroundings(refer: SrfRequest, { trunk, home, addressesOf }: TransferScope): Surroundings {
  const hosts = ['From', 'To'].map((name) => placeOfUri(/<([^>]+)>/.exec(refer.get(name) ?? '')?.[1] ?? '')?.host);
  const aliases = hosts.filter((host) => host !== undefined);
  return { trunk, home, own: placeOfUri(refer.uri), aliases, addressesOf };
}
