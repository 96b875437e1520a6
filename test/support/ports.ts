import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/*
 * Ports of loopback that are this test process's alone: below those that the system hands out (32768 and up), and apart from those
 * of the files that run beside it.
 */

const lanes = 8;
const portsPerLane = 2_500;
const lane = 12_000 + ((Number(process.env['VITEST_POOL_ID'] ?? '1') - 1) % lanes) * portsPerLane; // no more workers than lanes: vitest.config.ts

/** First and last port for RTP towards PBXs. */
export const rtpPorts: readonly [number, number] = [lane, lane + 999];
/** First and last port for WebRTC. */
export const webrtcPorts: readonly [number, number] = [lane + 1_000, lane + 1_999];

const singles = { first: lane + 2_000, count: 500 };
/** Processes that use this lane one after the other begin at different places. */
let next = process.pid;

/** A port of 127.0.0.1 that nobody has, UDP or TCP, nor is given by chance: for a server that is to come, or that is not there. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < singles.count; tries++) {
    const port = singles.first + (next++ % singles.count);
    if ((await isFreeOfTcp(port)) && (await isFreeOfUdp(port))) return port;
  }
  throw new Error(`no port from ${singles.first} on is free`);
}

function isFreeOfTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeOfUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}
