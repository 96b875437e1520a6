import { createSocket } from 'node:dgram';
import { ack, bye, invite } from './messages.mjs';
import { atRate } from './pace.mjs';
import { bindClient } from './sampling.mjs';

const HOLD_MS = 200;
const PATIENCE_MS = 2_000;

/**
 * Sends the datagrams of so many calls a second to the echo, and awaits what comes back. Resolves with the number of
 * calls and how many datagrams were lost.
 */
export async function echoLoad({ port, answersPerCall, perSecond, seconds }) {
  const socket = await bindClient(createSocket, port);
  const here = `127.0.0.1:${socket.address().port}`;
  const held = [];
  const count = { calls: 0, received: 0 };
  socket.on('message', () => (count.received += 1));
  await atRate({
    perSecond,
    seconds,
    begin: (nowMs) => {
      const call = callOf(count.calls++, here, port);
      socket.send(invite(call));
      socket.send(ack(call));
      held.push({ call, byeMs: nowMs + HOLD_MS });
    },
    tick: (nowMs) => {
      while (held.length > 0 && held[0].byeMs <= nowMs) socket.send(bye(held.shift().call));
    },
    isBusy: () => count.received < count.calls * answersPerCall,
    patienceMs: PATIENCE_MS,
  });
  socket.close();
  return { calls: count.calls, lost: count.calls * answersPerCall - count.received };
}

/** As long as the Caller's, letter for letter. */
function callOf(sequence, here, port) {
  const key = `00000000${sequence.toString(36)}`;
  const uri = `sip:+49301234567@127.0.0.1:${port}`;
  return {
    key,
    here,
    number: String(10_000_000 + sequence),
    callId: `${key}@bench.invalid`,
    fromTag: `f${key}`,
    uri,
    target: `sip:127.0.0.1:${port}`,
    to: `<${uri}>;tag=0123456789abcdef`,
  };
}
