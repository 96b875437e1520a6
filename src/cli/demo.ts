import type { Daemon } from '../daemon.js';
import { startDaemon } from '../daemon.js';
import { startSandbox } from '../sandbox/sandbox.js';
import type { Sandbox } from '../sandbox/sandbox.js';
import { EXIT, processIo, type ConsoleIo } from './console-io.js';
import { businessInitiatedCall, userInitiatedCall, type DemoParties, type MeasuredCall } from './demo-calls.js';
import { BUSINESS_NUMBER, demoConfig, demoIdentity, parsePbx, USER_WA_ID, type PbxAddress } from './demo-config.js';
import { keepUp } from './demo-keep.js';
import { DemoLog } from './demo-log.js';
import { allHeard, carried, jsonReport, textReport } from './demo-report.js';

export interface DemoOptions {
  /** One JSON object on standard output, and nothing else there. */
  readonly json: boolean;
  /** `HOST:PORT` of a PBX of one's own, in place of the built-in one. */
  readonly pbx?: string;
  /** Stay up afterwards until SIGINT or SIGTERM. */
  readonly keep: boolean;
}

/**
 * `sip2wa demo`: Meta's stand-in, the daemon and a small PBX in one process, one call each way, and what was heard of
 * it at either end. Exit code 0 only if all calls that were to be made carried audio both ways, as measured.
 */
export async function demoCommand(options: DemoOptions, io: ConsoleIo = processIo): Promise<number> {
  const ownPbx = options.pbx === undefined ? undefined : parsePbx(options.pbx);
  if (ownPbx === null) {
    io.stderr('sip2wa demo: --pbx wants HOST:PORT, for example --pbx 192.168.1.10:5060\n');
    return EXIT.usage;
  }
  const log = new DemoLog();
  try {
    return await withParties(ownPbx, log, (parties) => run(parties, options, io));
  } catch (error) {
    io.stderr(`sip2wa demo: ${error instanceof Error ? error.message : String(error)}\n${log.troubles()}`);
    return EXIT.failed;
  }
}

async function run(parties: DemoParties, options: DemoOptions, io: ConsoleIo): Promise<number> {
  const say = options.json ? io.stderr : io.stdout;
  if (!options.json) say(intro(parties));
  const calls: MeasuredCall[] = [await measure(() => userInitiatedCall(parties), io)];
  if (parties.pbx) calls.push(await measure(() => businessInitiatedCall(parties), io));
  io.stdout(options.json ? `${JSON.stringify(jsonReport(calls))}\n` : calls.map(textReport).join('\n'));
  const passed = allHeard(calls);
  if (!passed) say(parties.log.troubles());
  if (!options.json) say(verdict(parties, passed, options.keep));
  if (options.keep) await keepUp(parties, say);
  return passed ? EXIT.ok : EXIT.failed;
}

/** Longer than a jitter buffer covers: what was measured then says more about the machine than about the bridge. */
const STALL_MS = 40;

/** No call is repeated that could not end within the minute a demo may take. */
const REPEAT_UNTIL_MS = 38_000;

/** Places a call; again if it failed while this process was kept from running. */
async function measure(place: () => Promise<MeasuredCall>, io: ConsoleIo): Promise<MeasuredCall> {
  let call = await place();
  while (!carried(call) && call.stalledMs >= STALL_MS && performance.now() < REPEAT_UNTIL_MS) {
    io.stderr(`the machine stood still for ${call.stalledMs.toFixed(0)} ms during the call: it is placed once more\n`);
    call = await place();
  }
  return call;
}

/** Starts everything, does the work, and stops everything whatever came of it. */
async function withParties(
  ownPbx: PbxAddress | undefined,
  log: DemoLog,
  work: (parties: DemoParties) => Promise<number>,
): Promise<number> {
  const identity = demoIdentity();
  let daemon: Daemon | undefined;
  const sandbox: Sandbox = await startSandbox({ ...identity, businessNumber: BUSINESS_NUMBER });
  try {
    const pbx = ownPbx ? undefined : await sandbox.pbx({ onInvite: () => ({ do: 'answer', afterMs: 300 }) });
    const phone = await sandbox.phone({ waId: USER_WA_ID, profileName: 'Demo user' });
    const config = demoConfig({ identity, graphUrl: sandbox.graphUrl, pbx: ownPbx ?? pbx?.address });
    daemon = await startDaemon({
      config,
      logger: log.logger(),
      cdr: { write: () => undefined, close: async () => {} },
    });
    const { host, port } = daemon.addresses.webhook;
    sandbox.setWebhook(`http://${host}:${port}${config.webhook.path}`);
    if (!(await sandbox.webhooks.verify(identity.verifyToken))) throw new Error('the webhook did not verify');
    return await work({ sandbox, daemon, pbx, phone, ownPbx, log });
  } finally {
    await daemon?.stop();
    await sandbox.stop();
  }
}

function intro({ ownPbx, pbx, daemon, sandbox }: DemoParties): string {
  const sip = daemon.addresses.sip.map(({ transport, host, port }) => `${transport}://${host}:${port}`).join(' ');
  const where = ownPbx
    ? `your PBX at ${ownPbx.host}:${ownPbx.port}`
    : `built-in at ${pbx?.address.host}:${pbx?.address.port}`;
  return `sip2wa demo: nothing leaves this machine${ownPbx ? ' but the SIP and RTP to your PBX' : ''}
  Meta    sandbox Graph API at ${sandbox.graphUrl}, WhatsApp phone on libwebrtc
  bridge  SIP at ${sip}, embedded SIP server, werift
  PBX     ${where}

`;
}

function verdict({ ownPbx }: DemoParties, passed: boolean, keep: boolean): string {
  if (!ownPbx) return passed ? '\nBoth calls carried audio both ways.\n' : '\nFAILED: not every direction was heard.\n';
  const second = keep ? 'waits for a call from your PBX' : 'was left out: add --keep and call from your PBX';
  return `\n${passed ? 'The phone heard your PBX.' : 'FAILED: the phone heard nothing from your PBX.'} What your PBX heard cannot be measured here.
The business-initiated call ${second}.\n`;
}
