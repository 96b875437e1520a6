import { isPermissionMissing, isTokenRefused } from '../../whatsapp/graph-classify.js';
import { GraphError } from '../../whatsapp/graph-error.js';
import { failed, skipped, type Finding } from './check.js';

export const newToken =
  'make a token of a system user with both WhatsApp permissions and put it into graph.access_token';
const reach = 'let this machine reach graph.base_url by HTTPS: DNS, firewall, proxy';
const rights = 'compare the id with WhatsApp Manager, and give the system user of the token the WhatsApp account';
const others = 'see what Meta says of this code, and whether graph.version is still served';

/** Which faults a check is the one to tell of, so that one cause makes one failure. */
export interface FaultsToTell {
  /** The token is refused, or Meta cannot be reached. */
  readonly isTokens?: boolean;
  /** The number is not there, or not the token's. */
  readonly isNumbers?: boolean;
}

/** Meta's code of an object that the token does not see. */
const unseenSubcode = 33;

/** What Meta's refusal, or its silence, means for a check. Errors that are not Meta's are thrown on. */
export function metaFault(error: unknown, what: string, tells: FaultsToTell = {}): Finding {
  if (!(error instanceof GraphError)) throw error;
  const text = `${what}: ${saidBy(error)}`;
  if (isTokenRefused(error)) return tells.isTokens ? failed(text, newToken) : skipped('Meta refuses the access token');
  if (error.fault === 'timeout' || error.fault === 'transport') {
    return tells.isTokens ? failed(text, reach) : skipped('Meta does not answer');
  }
  // A token that may not look at itself can be good for everything else.
  if (tells.isTokens && error.fault === 'api') return skipped(text);
  return isPermissionMissing(error) ? unseen(error, text, tells) : failed(text, others);
}

function unseen({ metaSubcode }: GraphError, text: string, { isNumbers = false }: FaultsToTell): Finding {
  if (isNumbers || metaSubcode !== unseenSubcode) return failed(text, rights);
  return skipped('Meta does not show the number to this token');
}

/** The same where another check tells what is wrong. */
export function metaFaultElsewhere(error: unknown, what: string): Finding {
  if (!(error instanceof GraphError)) throw error;
  return skipped(`${what}: ${saidBy(error)}`);
}

function saidBy({ title, details = '', message, metaCode }: GraphError): string {
  const said = (title ?? message).replace(/^\(#\d+\) /, '');
  const code = metaCode === undefined ? '' : `(#${metaCode}) `;
  return `${code}${said}${details === '' || details === title ? '' : `: ${details}`}`;
}
