import { createHmac } from 'node:crypto';
import { isLoopback } from '../../http/admin-access.js';
import { DeadlineError } from '../../lib/deadline.js';
import type { WaNumber } from '../../routing/types.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';
import { askHttp, type HttpAnswer } from './http-ask.js';
import type { AppSubscription, Callbacks } from './meta-questions.js';
import { metaFaultElsewhere } from './meta-fault.js';

/** The URLs that Meta delivers to, each tried with a delivery that is signed and empty. */
export function callbackChecks(scope: DoctorScope): Check[] {
  return [
    { name: 'webhook from outside', run: () => outsideCheck(scope) },
    ...scope.numbers.map((number) => ({ name: `callback ${number.name}`, run: () => numberCheck(scope, number) })),
  ];
}

/** What Meta delivers with nothing in it: it is signed, taken, and changes nothing. */
const emptyDelivery = JSON.stringify({ object: 'whatsapp_business_account', entry: [] });

export function deliver(url: string, secret: string, { askMs, clock }: DoctorScope): Promise<HttpAnswer> {
  const signature = createHmac('sha256', secret).update(emptyDelivery).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` };
  return askHttp({ url, method: 'POST', headers, body: emptyDelivery }, askMs, clock);
}

/** The app's subscription for WhatsApp, or why it is not known. */
export async function subscriptionOf({ meta }: DoctorScope): Promise<AppSubscription | 'none' | Finding> {
  try {
    const { app_id: appId } = await meta.token();
    if (appId === undefined) return skipped('Meta does not say which app the token is of');
    const all = await meta.subscriptions(appId);
    return all.find(({ object }) => object === 'whatsapp_business_account') ?? 'none';
  } catch (error) {
    return metaFaultElsewhere(error, 'Meta does not tell it');
  }
}

export const isFinding = (found: AppSubscription | Finding): found is Finding => 'state' in found;

/** The way that Meta's deliveries go, from the callback URL through whatever stands before the daemon. */
async function outsideCheck(scope: DoctorScope): Promise<Finding> {
  const found = await subscriptionOf(scope);
  if (found === 'none') return skipped('the app has no callback URL');
  if (isFinding(found)) return found;
  const { callback_url: url } = found;
  if (url === undefined || !isCallback(url)) return skipped('Meta does not tell the callback URL');
  const callbacks = await Promise.all(scope.numbers.map(({ id }) => scope.meta.callbacks(id).catch(() => ({}))));
  if (scope.numbers.every(({ id }, index) => overrideIn(callbacks[index] ?? {}, id)))
    return skipped(`every number has another one than ${url}`);
  if (!(await scope.running)) return skipped(`no sip2wa runs here; the callback URL is ${url}`);
  return tried(scope, url);
}

/** What goes before the app's callback URL. */
interface Override {
  readonly url: string;
  readonly cure: string;
  /** Whom it is set for. */
  readonly of: 'the number' | 'the WhatsApp account';
}

/** Meta's page on webhook overrides: the number's goes before the account's. */
function overrideIn(
  { phone_number: ofNumber, whatsapp_business_account: ofAccount }: Callbacks,
  id: string,
): Override | undefined {
  if (isSet(ofNumber)) {
    const cure = `set it to this bridge's, or take it away: POST /${id} {"webhook_configuration":{"override_callback_uri":""}}`;
    return { url: ofNumber, of: 'the number', cure };
  }
  const cure = "set it to this bridge's, or take it away: POST /<account id>/subscribed_apps without a body";
  return isSet(ofAccount) ? { url: ofAccount, of: 'the WhatsApp account', cure } : undefined;
}

const isSet = (url: string | undefined): url is string => url !== undefined && url !== '';

async function numberCheck(scope: DoctorScope, { id }: WaNumber): Promise<Finding> {
  let callbacks: Callbacks;
  try {
    callbacks = await scope.meta.callbacks(id);
  } catch (error) {
    return metaFaultElsewhere(error, 'Meta does not tell it');
  }
  const override = overrideIn(callbacks, id);
  if (!override) return isSet(callbacks.application) ? ok("the app's callback URL") : skipped('Meta tells none of it');
  const { url, of, cure } = override;
  const set = `set for ${of} in place of the app's callback URL`;
  if (!isCallback(url)) return warning(`${url}, ${set}, is no URL that Meta delivers to`, cure);
  if (!(await scope.running)) return skipped(`no sip2wa runs here; ${url} is ${set}`);
  const { state, detail } = await tried(scope, url);
  const found = { state, detail: `${detail} (${set})` };
  return state === 'ok' ? found : { ...found, cure };
}

/** Delivers to a URL that Meta delivers to. */
async function tried(scope: DoctorScope, url: string): Promise<Finding> {
  try {
    const { status } = await deliver(url, scope.config.graph.appSecrets[0] ?? '', scope);
    return judged(url, status, scope);
  } catch (error) {
    const detail = `${url} cannot be reached from here: ${faultText(error)}`;
    if (!(error instanceof DeadlineError) && isCertificateFault(error)) {
      return failed(detail, 'give the proxy before webhook.listen a certificate of a public authority, with its chain');
    }
    return warning(detail, 'try the URL from another network: some routers do not let a machine reach its own address');
  }
}

function judged(url: string, status: number, { config }: DoctorScope): Finding {
  if (status === 200) return ok(`${url} takes a signed delivery`);
  const cures: Readonly<Record<number, string>> = {
    401: 'put the secret of the very app that the callback URL belongs to into graph.app_secret',
    404: `let the callback URL end with ${config.webhook.path}, or the proxy rewrite it`,
  };
  const cure = cures[status] ?? `let the proxy pass it on to webhook.listen, as it is and without a redirect`;
  return failed(`${url} answers ${status} to a signed delivery`, cure);
}

/** Meta takes HTTPS alone; plain HTTP is for a sandbox on this machine. */
function isCallback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function isCertificateFault(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code);
}
