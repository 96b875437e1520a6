import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { drachtioBinary, drachtioSecret, DrachtioServer } from '../../../support/drachtio-server.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { connectSrf } from '../srf-app.js';
import { FrameTap } from './frame-tap.js';
import { IN_CALL_SCENARIOS } from './in-call-scenarios.js';
import { SCENARIOS } from './scenarios.js';
import type { Stage } from './stage.js';
import { Transcript } from './transcript.js';

/*
 * The frames of the same scenarios, as a drachtio-server exchanged them with drachtio-srf and as the embedded server does.
 * With a binary in SIP2WA_DRACHTIO they are held against that; SIP2WA_DRACHTIO_RECORD=1 writes what it does down anew.
 */

const T1_MS = 60;
const isRecording = drachtioBinary !== undefined && process.env['SIP2WA_DRACHTIO_RECORD'] !== undefined;
const recordings = new URL('../../../fixtures/drachtio/exchanges.json', import.meta.url);
const recorded = existsSync(recordings)
  ? (JSON.parse(readFileSync(recordings, 'utf8')) as Record<string, readonly string[]>)
  : {};

/** Under this name stand frames that are other than a drachtio-server's on purpose; the scenario says why. */
const embeddedServersOwn = (name: string): string => `${name} (embedded server)`;

interface Server {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  readonly sipPort: number;
  stop(): Promise<void>;
}

async function embedded(): Promise<Server> {
  const server = await startEmbeddedSipServer({
    listen: (['udp', 'tcp'] as const).map((transport) => ({ transport, host: '127.0.0.1', port: 0 })),
    timers: { t1Ms: T1_MS, t2Ms: 4 * T1_MS, t4Ms: 5 * T1_MS },
    logger: new RecordingLogger(),
  });
  const sipPort = server.sockets[0]?.port ?? 0;
  return { host: server.host, port: server.port, secret: server.secret, sipPort, stop: () => server.stop() };
}

/** Its command port is open before its SIP ports are; an application that comes between is told half of them. */
async function answersSip(port: number): Promise<void> {
  const peer = await SipScriptPeer.tcp();
  const text = peer.newRequest('OPTIONS', `sip:127.0.0.1:${port}`);
  const asked = setInterval(() => {
    peer.dial({ host: '127.0.0.1', port }).then(
      (line) => peer.send(text, line),
      () => undefined,
    );
  }, 100);
  await peer.next(({ status }) => status !== undefined, 'any answer').finally(() => clearInterval(asked));
  await peer.stop();
}

async function real(): Promise<Server> {
  const server = await DrachtioServer.start();
  const { adminPort: port, sipPort } = server;
  await answersSip(sipPort);
  return { host: '127.0.0.1', port, secret: drachtioSecret, sipPort, stop: () => server.stop() };
}

async function play(server: Server, scenario: (stage: Stage) => Promise<void>): Promise<string[]> {
  const tap = await FrameTap.before(server);
  const peer = await SipScriptPeer.udp();
  const srf = await connectSrf({ host: '127.0.0.1', port: tap.port, secret: server.secret });
  try {
    const sip = { host: '127.0.0.1', port: server.sipPort };
    await scenario({ srf, tap, peer, sip });
    const ports = new Map([
      [String(sip.port), 'SIP'],
      [String(peer.port), 'PEER'],
      [server.secret, 'SECRET'],
    ]);
    return new Transcript(ports).lines(tap.frames);
  } finally {
    srf.disconnect();
    await peer.stop();
    await tap.stop();
    await server.stop();
  }
}

describe('frames of the application protocol', () => {
  it('are of the scenarios that the list names', () => {
    const list = readFileSync(new URL('scenario-list.md', import.meta.url), 'utf8');
    const named = [...list.matchAll(/^\| ([^|]*?) +\| frames/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(Object.keys({ ...SCENARIOS, ...IN_CALL_SCENARIOS }).sort());
  });

  it.each(Object.entries({ ...SCENARIOS, ...IN_CALL_SCENARIOS }))(
    '%s',
    async (name, scenario) => {
      if (drachtioBinary !== undefined) {
        const told = await play(await real(), scenario);
        if (isRecording) {
          const all = existsSync(recordings) ? (JSON.parse(readFileSync(recordings, 'utf8')) as object) : {};
          writeFileSync(recordings, `${JSON.stringify({ ...all, [name]: told }, null, 2)}\n`);
          return;
        }
        expect(told).toEqual(recorded[name]);
      }
      expect(await play(await embedded(), scenario)).toEqual(recorded[embeddedServersOwn(name)] ?? recorded[name]);
    },
    60_000,
  );
});
