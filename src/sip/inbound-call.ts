import type { OriginatingLeg } from '../call/leg.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { NumberHint } from '../routing/number-of-call.js';
import type { Trunk } from '../routing/types.js';
import type { CallerIdentity } from './caller-identity.js';
import type { SrfRequest } from './drachtio-types.js';
import { opaqueOf } from './opaque-header.js';
import { dialledUser } from './registration/dialled-user.js';
import { plainSipText } from './sip-text.js';

/** A call that arrived from a PBX, its offer taken: it may be routed. */
export interface InboundCall {
  readonly call: CallId;
  readonly leg: OriginatingLeg;
  readonly trunk: Trunk;
  /** All trunks that take calls from the PBX's address, `trunk` among them. */
  readonly trunks: readonly Trunk[];
  /** Whom it is for: the Request-URI's user, or what dialled-user.ts makes of it; decoded, without parameters. */
  readonly calledUser: string;
  /** User of From; undefined when it is anonymous. */
  readonly callerUser: string | undefined;
  /** Callers that a trusted PBX vouches for. */
  readonly assertedUsers: readonly string[];
  /** Whom a trusted PBX says the call was forwarded by, the first one first. */
  readonly divertedBy: readonly string[];
  /** What the PBX wants Meta to carry along; see opaque-header.ts. */
  readonly opaque: string | undefined;
  /** A header of the INVITE as cleaned text; undefined if absent or empty. */
  header(name: string): string | undefined;
}

const headerLimit = 1_024;

/** By which the PBX names the number to call with. */
const numberHeader = 'X-WA-Number-Id';

/** Which PBX a call came from, and who it says is calling. */
export interface CallOrigin extends Pick<InboundCall, 'trunk' | 'trunks'> {
  readonly identity: CallerIdentity;
}

export function inboundCall(
  call: CallId,
  leg: OriginatingLeg,
  { trunk, trunks, identity }: CallOrigin,
  request: SrfRequest,
  logger: Logger,
): InboundCall {
  const calledUser = dialledUser(trunk, request);
  const header = (name: string): string | undefined => headerText(request, name);
  const opaque = opaqueOf(request, logger);
  const { fromUser: callerUser, assertedUsers, divertedBy } = identity;
  return { call, leg, trunk, trunks, calledUser, callerUser, assertedUsers, divertedBy, opaque, header };
}

/** What an INVITE says about the business number it wants. */
export function numberHint(request: SrfRequest, identity: CallerIdentity): NumberHint {
  const { fromUser: callerUser, assertedUsers, divertedBy } = identity;
  return { namedNumber: headerText(request, numberHeader), callerUser, assertedUsers, divertedBy };
}

function headerText(request: SrfRequest, name: string): string | undefined {
  const text = plainSipText(request.get(name) ?? '', headerLimit);
  return text === '' ? undefined : text;
}
