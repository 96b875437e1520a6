/* libwebrtc as Meta's side: full ICE that claims to be lite and shows its loopback address alone. One call at a time. */
import { createRequire } from 'node:module';
import { answerQuestions } from './answering.mjs';

const { RTCPeerConnection, nonstandard } = createRequire(import.meta.url)('@roamhq/wrtc');
const RATE = 48_000;
const CHUNK_MS = 10;
const LOOPBACK = '127.0.0.1';

let connection;
let timer;

function open() {
  connection = new RTCPeerConnection();
  const source = new nonstandard.RTCAudioSource();
  connection.addTrack(source.createTrack());
  const samples = new Int16Array((RATE * CHUNK_MS) / 1000).map((_none, i) => 8000 * Math.sin(i / 7));
  const data = { samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: samples.length };
  timer = setInterval(() => source.onData(data), CHUNK_MS);
}

/** Its description in Meta's form, once its addresses are known. */
async function local(description) {
  await connection.setLocalDescription(description);
  while (connection.iceGatheringState !== 'complete') {
    await new Promise((resolve) => (connection.onicegatheringstatechange = resolve));
  }
  return connection.localDescription.sdp
    .split('\r\n')
    .filter((line) => !/^a=(rtpmap|fmtp|rtcp-fb):(?!(111|126)\b)/.test(line))
    .filter((line) => !line.startsWith('a=candidate') || new RegExp(` 1 udp \\d+ ${LOOPBACK} `).test(line))
    .flatMap((line) =>
      line.startsWith('m=audio') ? ['a=ice-lite', line.replace(/SAVPF .*/, 'SAVPF 111 126')] : [line],
    )
    .join('\r\n');
}

answerQuestions({
  offer: async () => {
    open();
    return local(await connection.createOffer());
  },
  answer: async ({ offer }) => {
    open();
    await connection.setRemoteDescription({ type: 'offer', sdp: offer });
    return local(await connection.createAnswer());
  },
  accept: ({ answer }) => connection.setRemoteDescription({ type: 'answer', sdp: answer }),
  close: () => {
    clearInterval(timer);
    connection.close();
  },
});
