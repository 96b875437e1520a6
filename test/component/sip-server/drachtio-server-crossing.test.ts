import { describe } from 'vitest';
import { drachtioSecret, DrachtioServer } from '../../support/drachtio-server.js';
import { crossings } from './crossing.js';
import { HostileScene } from './hostile-scene.js';

async function onDrachtio(): Promise<HostileScene> {
  const server = await DrachtioServer.start();
  const { adminPort: port, sipPort } = server;
  return HostileScene.start({
    server: {
      ...{ host: '127.0.0.1', port, secret: drachtioSecret },
      sockets: [{ transport: 'udp', host: '127.0.0.1', port: sipPort }],
      counts: () => ({ transactions: 0, dialogs: 0, pending: 0 }),
      stop: () => server.stop(),
    },
  });
}

describe('CANCEL and 200 cross in a drachtio-server', () => crossings(onDrachtio));
