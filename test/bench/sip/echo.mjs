/*
 * The bare datagram process that the server is compared with: for each datagram it sends as many back, of the same sizes,
 * as the server does for the SIP request whose first letter it bears. The argument holds the sizes, as JSON.
 */
import { createSocket } from 'node:dgram';
import { answerQuestions } from './self-report.mjs';

const sizes = JSON.parse(process.argv[2] ?? '{}');
const replies = new Map(
  Object.entries(sizes).map(([method, list]) => [method.charCodeAt(0), list.map((size) => Buffer.alloc(size, 'x'))]),
);
let received = 0;

const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 });
socket.on('message', (bytes, from) => {
  received += 1;
  for (const reply of replies.get(bytes[0]) ?? []) socket.send(reply, from.port, from.address);
});
socket.bind(0, '127.0.0.1', () => {
  answerQuestions({ hello: { port: socket.address().port }, facts: () => ({ received }) });
});
