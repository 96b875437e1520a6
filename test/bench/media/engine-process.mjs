/* A measured process: the media engine as a worker of the daemon makes it, calls by word of the parent. */
import { systemClock } from '../../../dist/lib/clock.js';
import { systemIds } from '../../../dist/lib/ids.js';
import { silentLogger } from '../../../dist/lib/logger.js';
import { usePlainEnvironment } from '../../../dist/lib/plain-environment.js';
import { WeriftMediaEngine } from '../../../dist/media/werift-media-engine.js';
import { WorkerEffort } from '../../../dist/media/workers/worker-effort.js';
import { WorkerLoadMeter } from '../../../dist/media/workers/worker-load-meter.js';
import { answerQuestions } from './answering.mjs';

usePlainEnvironment();
const LOOPBACK = '127.0.0.0/8';
const UP_MS = 15_000;
/** As a worker looks at its load. */
const BEAT_MS = 500;

const complaints = { count: 0, first: undefined };
const complain = (message, fields) => {
  complaints.count += 1;
  complaints.first ??= `${message} ${fields?.err ?? ''}`;
};
const logger = { ...silentLogger, error: complain, warn: complain, child: () => logger };

const engine = new WeriftMediaEngine({
  listenIp: '127.0.0.1',
  advertisedIp: '',
  rtpPorts: [10_000, 29_999],
  webrtcPorts: [0, 0],
  remoteNetworks: [LOOPBACK],
  logger,
  clock: systemClock,
  ids: systemIds,
  rests: true,
});
await engine.start();

const setComplexity = (complexity) => engine.setOpusComplexity(complexity);
const effort = new WorkerEffort({ setComplexity, logger: silentLogger });
const loadMeter = new WorkerLoadMeter();
setInterval(() => effort.look(loadMeter.read(), performance.now()), BEAT_MS);

const calls = new Map();

class Call {
  #happened = new Map();
  #waiting = new Map();

  constructor(id, codec) {
    this.call = `bench-${id}`;
    this.codec = codec;
  }

  async open() {
    this.whatsApp = await engine.createWebRtcEndpoint({ call: this.call });
    this.whatsApp.listen(({ type, reason }) => {
      this.#happened.set(type, process.hrtime.bigint());
      if (type === 'failed') complain('failed', { err: reason?.text });
      this.#waiting.get(type)?.();
    });
    if (this.codec === undefined) return undefined;
    this.pbx = await engine.createRtpEndpoint({ call: this.call, codecs: [this.codec], remoteNetworks: [LOOPBACK] });
    this.pbx.listen(() => undefined);
    return this.pbx.createOffer();
  }

  /** When this happened, ns of the monotonic clock. */
  when(type) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${type} in time`)), UP_MS);
      const done = () => {
        clearTimeout(timer);
        resolve(this.#happened.get(type));
      };
      if (this.#happened.has(type)) done();
      else this.#waiting.set(type, done);
    });
  }

  async join(pbxAnswer) {
    await this.pbx.acceptAnswer(pbxAnswer);
    this.bridge = engine.createBridge(this.call);
    this.bridge.connect(this.whatsApp.id, this.pbx.id);
  }

  async close() {
    this.bridge?.disconnect();
    await Promise.all([this.whatsApp.close(), this.pbx?.close()]);
  }
}

async function begin(id, codec) {
  const call = new Call(id, codec);
  calls.set(id, call);
  return { call, pbxOffer: await call.open() };
}

answerQuestions({
  /** A user calls: Meta's offer is here, its answer goes out. */
  offered: async ({ call: id, codec, offer }) => {
    const { call, pbxOffer } = await begin(id, codec);
    call.sinceNs = process.hrtime.bigint();
    return { answer: await call.whatsApp.createAnswer(offer), pbxOffer };
  },
  /** We call: our offer goes out. */
  offer: async ({ call: id, codec }) => {
    const { call, pbxOffer } = await begin(id, codec);
    return { offer: await call.whatsApp.createOffer(), pbxOffer };
  },
  /** Both sides have answered: resolves when DTLS is up, with the times from SDP in hand on, in ns of the monotonic clock. */
  connect: async ({ call: id, answer, pbxAnswer, untilAudio }) => {
    const call = calls.get(id);
    if (pbxAnswer !== undefined) await call.join(pbxAnswer);
    if (answer !== undefined) {
      call.sinceNs = process.hrtime.bigint();
      await call.whatsApp.acceptAnswer(answer);
    } else await call.whatsApp.start();
    call.whatsApp.openSending();
    const upNs = await call.when('dtls_connected');
    const heardNs = untilAudio ? await call.when('first_packet') : undefined;
    return { sinceNs: String(call.sinceNs), upNs: String(upNs), heardNs: heardNs && String(heardNs) };
  },
  close: async ({ call: id }) => {
    await calls.get(id)?.close();
    calls.delete(id);
  },
  complaints: () => complaints,
  state: () => ({ opusComplexity: effort.complexity }),
});
