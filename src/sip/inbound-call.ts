import type { OriginatingLeg } from '../call/leg.js';
import type { CallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { NumberHint } from '../routing/number-of-call.js';
import type { Trunk } from '../routing/types.js';
import type { SrfRequest } from './drachtio-types.js';
import { opaqueOf } from './opaque-header.js';
import { plainSipText, unquotedSipText } from './sip-text.js';
import { userOfUri } from './sip-uri.js';

/** A call that arrived from a PBX, its offer taken: it may be routed. */
export interface InboundCall {
  readonly call: CallId;
  readonly leg: OriginatingLeg;
  readonly trunk: Trunk;
  /** All trunks that take calls from the PBX's address, `trunk` among them. */
  readonly trunks: readonly Trunk[];
  /** User part of the Request-URI, decoded, without parameters. */
  readonly calledUser: string;
  readonly callerUser: string | undefined;
  readonly callerName: string | undefined;
  /** What the PBX wants Meta to carry along; see opaque-header.ts. */
  readonly opaque: string | undefined;
  /** A header of the INVITE as cleaned text; undefined if absent or empty. */
  header(name: string): string | undefined;
}

const headerLimit = 1_024;

/** By which the PBX names the number to call with. */
const numberHeader = 'X-WA-Number-Id';

export function inboundCall(
  call: CallId,
  leg: OriginatingLeg,
  { trunk, trunks }: Pick<InboundCall, 'trunk' | 'trunks'>,
  request: SrfRequest,
  logger: Logger,
): InboundCall {
  const calledUser = userOfUri(request.uri) ?? '';
  const header = (name: string): string | undefined => headerText(request, name);
  const opaque = opaqueOf(request, logger);
  return { call, leg, trunk, trunks, calledUser, ...callerOf(request), opaque, header };
}

/** What an INVITE says about the business number it wants. */
export function numberHint(request: SrfRequest): NumberHint {
  return { namedNumber: headerText(request, numberHeader), callerUser: callerOf(request).callerUser };
}

function headerText(request: SrfRequest, name: string): string | undefined {
  const text = plainSipText(request.get(name) ?? '', headerLimit);
  return text === '' ? undefined : text;
}

function callerOf(request: SrfRequest): Pick<InboundCall, 'callerUser' | 'callerName'> {
  try {
    const { name, uri } = request.getParsedHeader('from');
    const callerName = unquotedSipText(name ?? '');
    return { callerUser: userOfUri(uri), callerName: callerName === '' ? undefined : callerName };
  } catch {
    return { callerUser: undefined, callerName: undefined };
  }
}
