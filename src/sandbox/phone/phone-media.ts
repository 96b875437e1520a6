import { deferred } from '../../lib/deferred.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Pcm } from '../audio/pcm.js';
import { fromInt16, toInt16 } from '../audio/pcm.js';
import { Listeners, Playlist } from '../audio/playlist.js';
import type { Playing } from '../audio/playlist.js';
import { Recorder } from '../audio/recording.js';
import type { Recording } from '../audio/recording.js';
import { fromBusiness, prepareLocalOffer, toMetaForm, type AdditionalCodecs } from '../meta-sdp.js';
import type { AudioFrame, AudioSink, AudioSource, AudioTrack, PeerConnection, RtpSender, Wrtc } from './wrtc.js';

const RATE_HZ = 48_000;
const FRAME_MS = 10;
const FRAME_SAMPLES = (RATE_HZ * FRAME_MS) / 1000;
const GATHER_DEADLINE_MS = 5000;
/** -50 dBFS: louder than this is sound, quieter may be comfort noise. */
const AUDIBLE = 0.003;

/** How descriptions are edited on their way in and out of libwebrtc. */
export interface SdpDress {
  /** Our own offer, before libwebrtc takes it as local description. */
  prepareOffer(offer: string): string;
  /** The gathered local description, before it is sent. */
  outgoing(description: string): string;
  /** What the far end sent, before libwebrtc sees it. */
  incoming(description: string): string;
}

/** Looks like Meta's media relay for a number with these codecs. */
export function metaDress(additional: AdditionalCodecs = []): SdpDress {
  return {
    prepareOffer: (offer) => prepareLocalOffer(offer, additional),
    outgoing: (description) => toMetaForm(description, 'loopback', additional),
    incoming: fromBusiness,
  };
}

/** When the media path reached which stage; monotonic milliseconds. */
export interface MediaTimes {
  iceConnectedAtMs?: number;
  dtlsConnectedAtMs?: number;
  firstPlayedAtMs?: number;
}

/**
 * The media of one call on libwebrtc: speaks in 10 ms frames on an absolute clock (an interval alone drifts), records
 * what is heard. Nothing is spoken before `openMicrophone`.
 */
export class PhoneMedia {
  readonly times: MediaTimes = {};
  readonly #pc: PeerConnection;
  readonly #source: AudioSource;
  readonly #track: AudioTrack;
  readonly #sender: RtpSender;
  readonly #connected = deferred<undefined>();
  readonly #failed = deferred<undefined>();
  readonly #playlist = new Playlist(RATE_HZ);
  readonly #listeners = new Listeners();
  readonly #recorder = new Recorder(RATE_HZ);
  #sink: AudioSink | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly wrtc: Wrtc,
    private readonly dress: SdpDress = metaDress(),
  ) {
    this.#pc = new wrtc.RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
    this.#source = new wrtc.nonstandard.RTCAudioSource();
    this.#track = this.#source.createTrack();
    this.#sender = this.#pc.addTrack(this.#track);
    this.#pc.ontrack = ({ track }) => this.#listen(track);
    this.#pc.oniceconnectionstatechange = () => this.#iceChanged();
    this.#pc.onconnectionstatechange = () => this.#connectionChanged();
  }

  /** Resolves once ICE and DTLS are up; stays pending if they never are. */
  get connected(): Promise<void> {
    return this.#connected.promise;
  }

  /** Resolves if ICE or DTLS fails. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** An offer in the form of Meta's. */
  async offer(): Promise<string> {
    const { sdp } = await this.#pc.createOffer();
    await this.#pc.setLocalDescription({ type: 'offer', sdp: this.dress.prepareOffer(sdp) });
    return this.#described();
  }

  /** Applies the business's answer: ICE and DTLS begin as soon as its checks come. */
  async acceptAnswer(answer: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: 'answer', sdp: this.dress.incoming(answer) });
  }

  /** Answers the business's offer in the form of Meta's answers, `setup:active`. */
  async answer(offer: string): Promise<string> {
    await this.#pc.setRemoteDescription({ type: 'offer', sdp: this.dress.incoming(offer) });
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    return this.#described();
  }

  /** RTP packets received so far. */
  async packetsReceived(): Promise<number> {
    if (this.#closed) return 0;
    let packets = 0;
    for (const stats of (await this.#pc.getStats()).values()) {
      if (stats['type'] === 'inbound-rtp') packets += Number(stats['packetsReceived'] ?? 0);
    }
    return packets;
  }

  /** Time that all audio so far has spent in the jitter buffer, and how much audio that was; zeros if libwebrtc does not say. */
  async jitterBuffer(): Promise<{ readonly delayS: number; readonly samples: number }> {
    const seen = { delayS: 0, samples: 0 };
    if (this.#closed) return seen;
    for (const stats of (await this.#pc.getStats()).values()) {
      if (stats['type'] !== 'inbound-rtp') continue;
      seen.delayS += Number(stats['jitterBufferDelay'] ?? 0);
      seen.samples += Number(stats['jitterBufferEmittedCount'] ?? 0);
    }
    return seen;
  }

  /** Starts speaking: silence every 10 ms, and whatever is played. Idempotent. */
  openMicrophone(): void {
    if (this.#ticker || this.#closed) return;
    const origin = performance.now();
    let sent = 0;
    this.#ticker = setInterval(() => {
      for (; sent * FRAME_MS <= performance.now() - origin; sent++) this.#speakFrame(origin + sent * FRAME_MS);
    }, FRAME_MS / 2);
  }

  /** Plays a sound once, behind what is playing already. */
  play(pcm: Pcm): Playing {
    return this.#playlist.play(pcm);
  }

  /** Presses a key by RFC 4733, if this libwebrtc can: false if it has no DTMF sender. */
  sendDtmf(digits: string, durationMs: number): boolean {
    if (!this.#sender.dtmf) return false;
    this.#sender.dtmf.insertDTMF(digits, durationMs);
    return true;
  }

  /** Resolves when `forMs` more milliseconds have been heard, silence included; at once when closed. */
  hear(forMs: number): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#listeners.until(performance.now() + forMs);
  }

  /** Everything heard so far. */
  heard(): Recording {
    return this.#recorder.recording();
  }

  /** Monotonic time at which something other than silence was first heard. */
  get firstHeardAtMs(): number | undefined {
    return this.#recorder.firstLouderThan(AUDIBLE);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#playlist.clear();
    this.#listeners.release();
    this.#sink?.stop();
    this.#track.stop();
    this.#pc.close();
  }

  async #described(): Promise<string> {
    const gathered = deferred<undefined>();
    const check = (): void => {
      if (this.#pc.iceGatheringState === 'complete') gathered.resolve(undefined);
    };
    this.#pc.onicegatheringstatechange = check;
    check();
    await withDeadline(gathered.promise, GATHER_DEADLINE_MS, 'gathering candidates');
    const description = this.#pc.localDescription;
    if (!description) throw new TypeError('libwebrtc lost its local description');
    return this.dress.outgoing(description.sdp);
  }

  #iceChanged(): void {
    const state = this.#pc.iceConnectionState;
    if (state === 'connected' || state === 'completed') this.times.iceConnectedAtMs ??= performance.now();
  }

  #connectionChanged(): void {
    const state = this.#pc.connectionState;
    if (state === 'failed') this.#failed.resolve(undefined);
    if (state !== 'connected') return;
    this.times.dtlsConnectedAtMs ??= performance.now();
    this.#connected.resolve(undefined);
  }

  #listen(track: AudioTrack): void {
    this.#sink = new this.wrtc.nonstandard.RTCAudioSink(track);
    this.#sink.ondata = (frame) => {
      const now = performance.now();
      this.#recorder.add(atRate(frame), now);
      this.#listeners.tick(now);
    };
  }

  #speakFrame(dueMs: number): void {
    const spoken = this.#playlist.next(FRAME_SAMPLES, dueMs);
    this.times.firstPlayedAtMs ??= performance.now();
    this.#source.onData({
      samples: spoken ? toInt16(spoken) : new Int16Array(FRAME_SAMPLES),
      sampleRate: RATE_HZ,
      bitsPerSample: 16,
      channelCount: 1,
      numberOfFrames: FRAME_SAMPLES,
    });
  }
}

/**
 * The first channel at 48 kHz. libwebrtc hands out 16 kHz until the first Opus packet is decoded; that is silence, so
 * repeating samples is good enough.
 */
function atRate({ samples, channelCount, sampleRate }: AudioFrame): Float32Array {
  const length = Math.round((samples.length / channelCount) * (RATE_HZ / sampleRate));
  const from = (i: number): number => Math.floor((i * sampleRate) / RATE_HZ) * channelCount;
  return fromInt16(Int16Array.from({ length }, (_, i) => samples[from(i)] ?? 0));
}
