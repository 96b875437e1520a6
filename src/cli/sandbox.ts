import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { startDaemon, type Daemon } from '../daemon.js';
import { withDeadline } from '../lib/deadline.js';
import { createLogger } from '../observability/logger.js';
import { toE164 } from '../routing/e164.js';
import { speech } from '../sandbox/audio/programme.js';
import type { Pbx } from '../sandbox/pbx/pbx.js';
import { BrowserPhone } from '../sandbox/rehearsal/browser-phone.js';
import { PhonePage } from '../sandbox/rehearsal/phone-page.js';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.js';
import { jsonText } from './admin-command.js';
import { printIssues } from './check.js';
import { EXIT, processIo, type ConsoleIo } from './console-io.js';
import { demoConfig, demoIdentity, parsePbx, type DemoIdentity, BUSINESS_NUMBER } from './demo-config.js';
import { numberNamed, UsageError } from './named-in-config.js';
import { rehearsalConfig } from './sandbox-config.js';

export interface SandboxCommandOptions {
  readonly config?: string;
  readonly number?: string;
  readonly pbx?: string;
  readonly user: string;
  readonly name: string;
  readonly port: string;
  readonly json?: boolean;
}

/** A test puts its own in place of the signals. */
export interface SandboxSurroundings {
  readonly io: ConsoleIo;
  readonly stopped: () => Promise<void>;
}

/** What the command line and the file say, checked. */
interface Plan {
  readonly identity: DemoIdentity;
  readonly businessNumber: string;
  readonly waId: string;
  readonly profileName: string;
  readonly port: number;
  /** Where everything is is printed as one JSON object. */
  readonly isJson: boolean;
  /** The built-in PBX takes part. */
  readonly ownPbx: boolean;
  /** Of the file: those towards its PBX are in use. */
  readonly secrets: readonly string[];
  readonly configFor: (graphUrl: string, pbx: Pbx | undefined) => Config;
}

const stopMs = 20_000;
const refusalMs = 10_000;
const ringMs = 1500;

/** `sip2wa sandbox`: Meta's stand-in, the daemon, and a WhatsApp user's phone in the browser, until SIGINT or SIGTERM. */
export async function sandboxCommand(
  options: SandboxCommandOptions,
  io: ConsoleIo = processIo,
  stopped: () => Promise<void> = signalled,
): Promise<number> {
  try {
    const plan = planOf(options, io);
    if (!plan) return EXIT.failed;
    await rehearse(plan, { io, stopped });
    return EXIT.ok;
  } catch (error) {
    io.stderr(`sip2wa sandbox: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

/** Undefined if the configuration file has mistakes: they are printed. @throws UsageError */
function planOf(options: SandboxCommandOptions, io: ConsoleIo): Plan | undefined {
  const waId = toE164(options.user)?.slice(1);
  if (waId === undefined) throw new UsageError('--user is a number with country code, for example +12025550173');
  const port = Number(options.port);
  if (!/^\d+$/.test(options.port) || port > 65_535) throw new UsageError('--port is a number from 0 to 65535');
  const rest = { waId, profileName: options.name, port, isJson: options.json === true };
  if (options.config === undefined) return { ...rest, ...builtIn(options) };
  if (options.pbx !== undefined) throw new UsageError('--pbx goes without --config, which has trunks of its own');
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) {
    printIssues(result, io);
    return undefined;
  }
  const { config, secrets } = result;
  const [first] = config.numbers;
  if (!first) throw new UsageError(`${result.file} has no number to rehearse with`);
  const number = options.number === undefined ? first : numberNamed(options.number, config.numbers);
  const identity = { ...demoIdentity(), numberId: number.id };
  return {
    ...rest,
    ...{ identity, businessNumber: number.number, ownPbx: true, secrets },
    configFor: (graphUrl) => rehearsalConfig({ ...config, numbers: [number] }, identity, graphUrl),
  };
}

function builtIn({
  pbx,
  number,
}: SandboxCommandOptions): Pick<Plan, 'identity' | 'businessNumber' | 'ownPbx' | 'secrets' | 'configFor'> {
  if (number !== undefined) throw new UsageError('--number goes with --config');
  const own = pbx === undefined ? undefined : parsePbx(pbx);
  if (own === null) throw new UsageError('--pbx wants HOST:PORT, for example --pbx 192.168.1.10:5060');
  const identity = demoIdentity();
  return {
    ...{ identity, businessNumber: BUSINESS_NUMBER, ownPbx: own !== undefined, secrets: [] },
    configFor: (graphUrl, built) => {
      const config = demoConfig({ identity, graphUrl, pbx: own ?? built?.address });
      // The browser's addresses are the network's, not loopback; the page of whoever is on this machine may do all.
      return {
        ...config,
        admin: { ...config.admin, token: '' },
        media: { ...config.media, listenIp: '0.0.0.0', remoteNetworks: 'any' },
      };
    },
  };
}

async function rehearse(plan: Plan, { io, stopped }: SandboxSurroundings): Promise<void> {
  const { identity, businessNumber } = plan;
  const closing: (() => Promise<void>)[] = [];
  try {
    const sandbox = await startSandbox({ ...identity, businessNumber });
    closing.unshift(() => sandbox.stop());
    const pbx = plan.ownPbx ? undefined : await greetingPbx(sandbox);
    const config = plan.configFor(sandbox.graphUrl, pbx);
    const logger = createLogger(config.log);
    logger.redact([identity.accessToken, identity.appSecret, identity.verifyToken, ...plan.secrets]);
    const daemon = await startDaemon({ config, logger, cdr: { write: () => undefined, close: async () => {} } });
    closing.unshift(() => daemon.stop());
    const { host, port } = daemon.addresses.webhook;
    sandbox.setWebhook(`http://${host}:${port}${config.webhook.path}`);
    if (!(await sandbox.webhooks.verify(identity.verifyToken))) throw new Error('the webhook did not verify');
    const phone = new BrowserPhone(sandbox.exchange, plan.waId, plan.profileName);
    const page = new PhonePage({
      ...{ phone, businessNumber },
      ...(pbx && { ringMe: () => ring(pbx, daemon, plan.waId) }),
    });
    showSteps(sandbox, page);
    const url = await page.listen(plan.port);
    closing.unshift(() => page.close());
    io.stdout(intro(url, plan, daemon, sandbox));
    await stopped();
  } finally {
    for (const close of closing) await withDeadline(close(), stopMs, 'stopping');
  }
}

/** Rings shortly, greets, and plays back what it hears. */
function greetingPbx(sandbox: Sandbox): Promise<Pbx> {
  const greeting = speech(8000);
  return sandbox.pbx({ onInvite: () => ({ do: 'answer', afterMs: ringMs, says: greeting, echo: true }) });
}

/** Has the built-in PBX call the user; resolves once the phone rings. @throws Error with what it was refused with */
async function ring(pbx: Pbx, daemon: Daemon, waId: string): Promise<void> {
  const sip = daemon.addresses.sip[0];
  if (!sip) throw new Error('the daemon has no SIP socket');
  const call = await pbx.call({ to: { host: '127.0.0.1', port: sip.port }, user: `+${waId}`, from: BUSINESS_NUMBER });
  call.rtp.echo = true;
  void call.answered.then(() => call.play(speech(8000)));
  const refused = call.ended.then(({ status, message }) => {
    throw new Error(`the bridge refused the PBX’s call with ${status ?? 'a BYE'} ${message?.reason ?? ''}`.trim());
  });
  await withDeadline(Promise.race([call.ringing, refused]), refusalMs, 'ringing');
}

function showSteps({ graph, webhooks }: Sandbox, page: PhonePage): void {
  webhooks.onDelivered = ({ event, status, attempt }) =>
    page.show({
      from: 'Meta',
      text: `webhook ${event.name}${attempt > 1 ? `, try ${attempt}` : ''}: answered ${status}`,
    });
  graph.onAnswered = ({ method, url, action, status }) =>
    page.show({ from: 'bridge', text: `${action ?? `${method} ${url}`}: answered ${status ?? '?'}` });
}

/** Where everything is, once it is up. */
function intro(url: string, plan: Plan, daemon: Daemon, sandbox: Sandbox): string {
  const { waId, businessNumber, ownPbx } = plan;
  const sip = daemon.addresses.sip.map(({ transport, host, port }) => `${transport}://${host}:${port}`);
  const { host, port } = daemon.addresses.admin;
  const calls = `http://${host}:${port}/`;
  if (plan.isJson) {
    const places = { page: url, calls, meta: sandbox.graphUrl, sip, pbx: ownPbx ? 'own' : 'built-in' };
    return jsonText({ ok: true, ...places, user: `+${waId}`, number: businessNumber });
  }
  return `sip2wa sandbox: open ${url} in a browser; Ctrl-C ends it
  calls   ${calls} shows them as they go
  Meta    stand-in at ${sandbox.graphUrl}
  bridge  SIP at ${sip.join(' ')}
  PBX     ${ownPbx ? `yours: to call the user, let it dial +${waId} through this trunk` : 'built in: it greets you, then you hear yourself'}
  user    +${waId}, business number ${businessNumber}
`;
}

/** SIGINT or SIGTERM. */
function signalled(): Promise<void> {
  const alive = setInterval(() => undefined, 3_600_000);
  return new Promise((resolve) => {
    const stop = (): void => {
      clearInterval(alive);
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  });
}
