import type { Logger } from '../../../../src/lib/logger.js';
import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { connectSrf } from '../srf-app.js';

/*
 * The process that is killed: an embedded SIP server and an application on it. The user part of an INVITE's Request-URI
 * says what becomes of it: `silent`, `ring`, or 180 and 200. Told `{ call: uri }` it places a call.
 */

const quiet: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => quiet,
};
const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 8\r\n';

const server = await startEmbeddedSipServer({
  listen: [
    { transport: 'udp', host: '127.0.0.1', port: 0 },
    { transport: 'tcp', host: '127.0.0.1', port: 0 },
  ],
  logger: quiet,
  recordFile: process.argv[2]!,
});
const srf = await connectSrf(server);
srf.use('invite', (req, res) => {
  const user = /sip:(\w+)@/.exec(req.uri)?.[1];
  if (user === 'silent') return;
  res.send(180);
  if (user === 'ring') return;
  srf.createUAS(req, res, { localSdp: SDP }).catch(() => undefined);
});
process.on('message', ({ call }: { call: string }) => {
  srf.createUAC(call, { localSdp: SDP }).catch(() => undefined);
});
// One refused request later the routes stand.
srf.request(`sip:x@127.0.0.1:${server.sockets[0]!.port}`, { method: 'OPTIONS' }, () => {
  process.send!({ port: server.sockets[0]!.port });
});
