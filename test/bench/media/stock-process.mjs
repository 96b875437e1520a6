/* A measured process: werift as its manual shows it, tracks in and out, a dgram socket for the other side. */
import { createSocket } from 'node:dgram';
import { MediaStreamTrack, RTCPeerConnection, RtpPacket, useOPUS } from 'werift';
import { answerQuestions } from './answering.mjs';

const ADDRESS = '127.0.0.1';
const UP_MS = 15_000;
const calls = new Map();

function connection() {
  const made = new RTCPeerConnection({
    codecs: { audio: [useOPUS({ payloadType: 111 })], video: [] },
    headerExtensions: { audio: [], video: [] },
    // With none, or with a list that is empty, it would ask a public server; this one is taken away below.
    iceServers: [{ urls: `stun:${ADDRESS}:9` }],
    iceUseIpv6: false,
    iceInterfaceAddresses: { udp4: ADDRESS },
    iceAdditionalHostAddresses: [ADDRESS],
    iceFilterCandidatePair: ({ remoteCandidate }) => remoteCandidate.host.startsWith('127.'),
    bundlePolicy: 'max-bundle',
  });
  return made;
}

async function boundSocket() {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.bind(0, ADDRESS, resolve));
  socket.on('error', () => undefined);
  return socket;
}

function connected(pc) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('not connected in time')), UP_MS);
    const check = () => {
      if (pc.connectionState !== 'connected') return;
      clearTimeout(timer);
      resolve();
    };
    pc.connectionStateChange.subscribe(check);
    check();
  });
}

answerQuestions({
  open: async ({ call, offer, pbx }) => {
    const pc = connection();
    const socket = await boundSocket();
    const track = new MediaStreamTrack({ kind: 'audio' });
    calls.set(call, { pc, socket });
    pc.addTransceiver(track, { direction: 'sendrecv' });
    pc.onTrack.subscribe((heard) =>
      heard.onReceiveRtp.subscribe((packet) => socket.send(packet.serialize(), pbx.port, pbx.address)),
    );
    socket.on('message', (packet) => track.writeRtp(RtpPacket.deSerialize(packet)));
    await pc.setRemoteDescription({ type: 'offer', sdp: offer });
    for (const { connection: agent } of pc.iceTransports) agent.stunServer = undefined;
    await pc.setLocalDescription(await pc.createAnswer());
    return { answer: pc.localDescription.sdp, address: ADDRESS, port: socket.address().port };
  },
  connected: ({ call }) => connected(calls.get(call).pc),
  close: async ({ call }) => {
    const it = calls.get(call);
    calls.delete(call);
    it?.socket.close();
    await it?.pc.close();
  },
});
