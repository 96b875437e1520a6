import type { Logger } from '../lib/logger.js';
import { silentLogger } from '../lib/logger.js';
import { systemClock } from '../lib/clock.js';
import { Message, classes, methods } from 'werift';
import { DetachedSocket } from './detached-socket.js';
import { MediaError } from './media-error.js';
import { processCertificate } from './werift-certificate.js';
import { WeriftIce } from './werift-ice.js';
import { expectKeyAgreement, giveBackKeyAgreement, takeOverKeyAgreement } from './werift-key-agreement.js';
import type { PacketPath } from './werift-packets.js';
import { checkPackets } from './werift-self-test.js';
import { WeriftSocket } from './werift-socket.js';

const peer = { address: '192.0.2.1', port: 4000 };
const stranger = { address: '192.0.2.2', port: 4000 };
let packetsPass: Promise<void> | undefined;

/**
 * Readies WebRTC for the first call: makes the process's certificate, proves that the source guard is in the path, and has
 * calls with itself, once a process, whose keys are agreed on by OpenSSL. Binds and sends nothing.
 * @returns the path for packets that works: werift's own, with a warning, if ours was not understood.
 * @throws MediaError `internal` if werift is not the version this was written for.
 */
export async function warmUpWerift(logger: Logger): Promise<PacketPath> {
  await processCertificate();
  await checkGuard();
  packetsPass ??= withQuickKeys(checkPackets, logger);
  return pathThatWorks(packetsPass, logger);
}

/** Has key agreement go by OpenSSL for good, unless `calls` show that it does not: then, with a warning, as werift has it. */
export async function withQuickKeys(calls: () => Promise<void>, logger: Logger): Promise<void> {
  const warn = (err: unknown): void =>
    logger.warn('keys of WebRTC are agreed on slowly: werift is not as expected', { err });
  try {
    takeOverKeyAgreement();
  } catch (err) {
    warn(err);
    return calls();
  }
  let hasCalled = false;
  try {
    await calls();
    hasCalled = true;
    expectKeyAgreement();
  } catch (err) {
    giveBackKeyAgreement();
    warn(err);
    // Whether it was the keys that the calls failed for is seen without them.
    if (!hasCalled) await calls();
  }
}

/** What to fall back to, and a warning, unless `check` comes out well. */
export async function pathThatWorks(check: Promise<void>, logger: Logger): Promise<PacketPath> {
  try {
    await check;
    return 'own';
  } catch (err) {
    logger.warn('packets of WebRTC take the slow path: werift is not as expected', { err });
    return 'werift';
  }
}

/** Shows a socket what the network would and looks at what reaches werift's ICE agent. */
async function checkGuard(): Promise<void> {
  const socket = new DetachedSocket();
  const ice = new WeriftIce({
    listenIp: '127.0.0.1',
    advertisedIp: '127.0.0.1',
    ports: [0, 0],
    clock: systemClock,
    logger: silentLogger,
  });
  ice.attach(new WeriftSocket(socket.asSocket, ice.guard, silentLogger), { address: '127.0.0.1', port: 4000 });
  ice.guard.expect([peer]);
  let requests = 0;
  ice.onRequest = () => requests++;
  const signed = new Message(methods.BINDING, classes.REQUEST).setAttribute('USERNAME', 'a:b');
  signed.addMessageIntegrity(Buffer.from(ice.local.password)).addFingerprint();
  const unsigned = new Message(methods.BINDING, classes.REQUEST).setAttribute('USERNAME', 'a:b');
  socket.show(unsigned.bytes, peer);
  socket.show(signed.bytes, stranger);
  const before = requests;
  socket.show(signed.bytes, peer);
  await ice.close();
  if (before !== 0 || requests !== 1) throw new MediaError('internal', 'the source guard is not in the path of WebRTC');
}
