import { isLoopback } from '../../http/admin-access.js';
import { silentLogger } from '../../lib/logger.js';
import { SipServerLink } from '../../sip/sip-server-link.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';

/** The daemon itself, who may ask it, and the SIP server it uses. */
export function accessChecks(scope: DoctorScope): Check[] {
  const { sip } = scope.config;
  return [
    { name: 'daemon', run: () => daemonCheck(scope) },
    { name: 'admin access', run: () => adminCheck(scope) },
    ...(sip.server === 'drachtio' ? [{ name: 'drachtio-server', run: () => drachtioCheck(scope) }] : []),
  ];
}

async function daemonCheck({ running }: DoctorScope): Promise<Finding> {
  const found = await running;
  if (!found) return skipped('no sip2wa answers at admin.listen');
  if (found.isReady) return ok('running and ready');
  return warning(`running, not ready: ${found.waiting.join(', ') || 'it does not say what for'}`, 'see its log');
}

/** Shorter ones can be guessed by whoever reaches the port. */
const leastToken = 16;

/** Beyond loopback without a token is an error of the file, which is not read then. */
function adminCheck({ config: { admin } }: DoctorScope): Finding {
  const { host } = admin.listen;
  if (isLoopback(host)) return ok(`${host}: this machine alone`);
  if (admin.token.length < leastToken) {
    return warning(
      `${host} can be reached from outside, and admin.token is short`,
      'openssl rand -hex 24 makes a better one',
    );
  }
  return ok(`${host}: with admin.token`);
}

async function drachtioCheck({ config, clock, askMs }: DoctorScope): Promise<Finding> {
  const { drachtio } = config.sip;
  const place = `${drachtio.host}:${drachtio.port}`;
  const options = { connect: drachtio, clock, logger: silentLogger, connectMs: askMs / 2, closeMs: 1000 };
  const link = new SipServerLink(options, () => undefined);
  try {
    await link.connect();
    return ok(`${place} takes our secret`);
  } catch (error) {
    return failed(faultText(error), 'see that it runs, and that sip.drachtio.secret is that of its configuration');
  } finally {
    await link.close();
  }
}
