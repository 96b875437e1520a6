/*
 * The measured process: the embedded SIP server and an unmodified drachtio-srf application on it, which answers every
 * INVITE with 200. An argument names the file of the record of open calls; without one there is none.
 */
import Srf from 'drachtio-srf';
import { usePlainEnvironment } from '../../../dist/lib/plain-environment.js';
import { connectOver } from '../../../dist/sip/drachtio-types.js';
import { startEmbeddedSipServer } from '../../../dist/sip-server/start-embedded-sip-server.js';
import { answerQuestions } from './self-report.mjs';
import { SDP } from './messages.mjs';

// as the daemon's main.js does
usePlainEnvironment();
const [t1Ms, recordFile] = process.argv.slice(2);

const complaints = { count: 0, first: undefined };
const complain = (message, fields) => {
  complaints.count += 1;
  complaints.first ??= `${message} ${fields?.err ?? ''}`;
};
const logger = {
  error: complain,
  warn: complain,
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};

const server = await startEmbeddedSipServer({
  listen: [
    { transport: 'udp', host: '127.0.0.1', port: 0 },
    { transport: 'tcp', host: '127.0.0.1', port: 0 },
  ],
  logger,
  timers: { t1Ms: Number(t1Ms) },
  // as the daemon's server does, whose media is in processes of its own
  rests: true,
  ...(recordFile ? { recordFile } : {}),
});

const calls = { answered: 0, ended: 0, failed: 0 };
const srf = new Srf();
srf.on('error', (err) => complain('drachtio-srf', { err }));
srf.invite(async (req, res) => {
  try {
    const dialog = await srf.createUAS(req, res, { localSdp: SDP });
    calls.answered += 1;
    dialog.on('destroy', () => (calls.ended += 1));
  } catch (err) {
    calls.failed += 1;
    complain('createUAS', { err });
  }
});
srf.on('connect', (err) => {
  if (err) throw err;
  // Frames are obeyed in order: once this one is refused, the route for INVITE stands.
  const [{ port }] = server.sockets;
  srf.request(`sip:bench@127.0.0.1:${port}`, { method: 'OPTIONS' }, () =>
    answerQuestions({ hello: { port }, facts: () => ({ alive: server.counts(), calls: { ...calls }, complaints }) }),
  );
});
// as the daemon's SipServerLink does
connectOver(server.connectInProcess, () => srf.connect(server));
