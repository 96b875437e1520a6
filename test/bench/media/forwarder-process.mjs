/* A measured process: a bare forwarding loop on dgram's public API, two sockets a call and no look into any packet. */
import { createSocket } from 'node:dgram';
import { answerQuestions } from './answering.mjs';

const ADDRESS = '127.0.0.2';
const calls = new Map();

function bound() {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, ADDRESS, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

answerQuestions({
  open: async ({ call, whatsApp, pbx }) => {
    const [a, b] = [await bound(), await bound()];
    a.on('message', (packet) => b.send(packet, pbx.port, pbx.address));
    b.on('message', (packet) => a.send(packet, whatsApp.port, whatsApp.address));
    calls.set(call, [a, b]);
    return { address: ADDRESS, whatsAppPort: a.address().port, pbxPort: b.address().port };
  },
  close: ({ call }) => {
    for (const socket of calls.get(call) ?? []) socket.close();
    calls.delete(call);
  },
});
