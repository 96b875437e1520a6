import { randomBytes } from 'node:crypto';
import type { WaNumber } from '../../routing/types.js';
import { isTokenRefused } from '../../whatsapp/graph-classify.js';
import { GraphError } from '../../whatsapp/graph-error.js';
import { callbackChecks, deliver, isFinding, subscriptionOf } from './callback-checks.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';
import { askHttp } from './http-ask.js';
import { metaFaultElsewhere } from './meta-fault.js';
import { localUrl } from './running-daemon.js';

/** The way of Meta's webhooks to us: subscriptions, the callback URL, our own listener. */
export function webhookChecks(scope: DoctorScope): Check[] {
  return [
    { name: 'app secret', run: () => secretCheck(scope) },
    { name: 'app webhooks', run: () => fieldCheck(scope) },
    ...scope.numbers.map((number) => ({
      name: `account webhooks ${number.name}`,
      run: () => accountCheck(scope, number),
    })),
    { name: 'webhook here', run: () => localCheck(scope) },
    ...callbackChecks(scope),
  ];
}

/** With another app's secret every webhook would be refused. */
async function secretCheck({ meta }: DoctorScope): Promise<Finding> {
  let appId: string | undefined;
  try {
    ({ app_id: appId } = await meta.token());
  } catch (error) {
    return metaFaultElsewhere(error, 'Meta does not tell the app');
  }
  if (appId === undefined) return skipped('Meta does not say which app the token is of');
  try {
    await meta.subscriptions(appId);
    return ok(`graph.app_secret is that of app ${appId}`);
  } catch (error) {
    if (!(error instanceof GraphError) || !isTokenRefused(error)) {
      return metaFaultElsewhere(error, 'Meta does not tell it');
    }
    const detail = `Meta does not take graph.app_secret as that of app ${appId}: webhooks will be refused`;
    return failed(detail, 'copy it from the App dashboard, Settings, Basic');
  }
}

const inDashboard = 'App dashboard, WhatsApp, Configuration';

async function fieldCheck(scope: DoctorScope): Promise<Finding> {
  const found = await subscriptionOf(scope);
  if (found === 'none') return failed('the app has no callback URL for WhatsApp', `set it: ${inDashboard}`);
  if (isFinding(found)) return found;
  if (found.active === false)
    return failed('Meta has switched the callback URL off', `verify it again: ${inDashboard}`);
  if (!found.fields.includes('calls')) {
    return failed(
      `the app is not subscribed to calls (it is to: ${found.fields.join(', ') || 'nothing'})`,
      `subscribe to the field calls: ${inDashboard}`,
    );
  }
  // Permission requests are answered, and settings changed, by these.
  const wanted = ['messages', 'account_settings_update'].filter((field) => !found.fields.includes(field));
  if (wanted.length === 0) return ok(`subscribed to ${found.fields.join(', ')}`);
  return warning(
    `subscribed to calls, not to ${wanted.join(' and ')}`,
    `subscribe to it as well, for answers to permission requests and changes of settings: ${inDashboard}`,
  );
}

async function accountCheck({ meta }: DoctorScope, number: WaNumber): Promise<Finding> {
  try {
    const [{ app_id: appId }, entities] = await Promise.all([meta.token(), meta.health(number.id)]);
    const wabaId = entities.find(({ entity_type: type }) => type === 'WABA')?.id;
    if (appId === undefined || wabaId === undefined) {
      return skipped('Meta does not say which WhatsApp account or app it is');
    }
    const apps = await meta.subscribedApps(wabaId);
    if (apps.includes(appId)) return ok(`WhatsApp account ${wabaId} tells app ${appId}`);
    return failed(
      `WhatsApp account ${wabaId} does not tell app ${appId}`,
      `POST /${wabaId}/subscribed_apps with its token`,
    );
  } catch (error) {
    return metaFaultElsewhere(error, 'Meta does not tell it');
  }
}

const restart = 'restart the daemon, so that it has the secrets of this file';

/** The running daemon takes what Meta would send it: verification by GET, deliveries by POST. */
async function localCheck(scope: DoctorScope): Promise<Finding> {
  const { config, running, askMs, clock } = scope;
  if (!(await running)) return skipped('no sip2wa runs here');
  const url = `${localUrl(config.webhook.listen)}${config.webhook.path}`;
  const challenge = randomBytes(8).toString('hex');
  const query = { 'hub.mode': 'subscribe', 'hub.verify_token': config.webhook.verifyToken, 'hub.challenge': challenge };
  try {
    const asked = `${url}?${new URLSearchParams(query).toString()}`;
    const verified = await askHttp({ url: asked, method: 'GET' }, askMs, clock);
    if (verified.status !== 200 || verified.text !== challenge) {
      return failed(`it answers ${verified.status} to the verification with webhook.verify_token`, restart);
    }
    for (const secret of config.graph.appSecrets) {
      const { status } = await deliver(url, secret, scope);
      if (status !== 200) return failed(`it answers ${status} to a delivery signed with graph.app_secret`, restart);
    }
    return ok('verified, and takes a signed delivery');
  } catch (error) {
    return failed(
      `${url} does not answer: ${faultText(error)}`,
      'compare webhook.listen with where the daemon listens',
    );
  }
}
