import type { AudioSink, AudioSource, PeerConnection } from '../../../src/sandbox/phone/wrtc.js';
import { loadWrtc } from '../../../src/sandbox/phone/wrtc.js';
import type { Sound } from './wav.js';
import { until } from './until.js';

/** A full ICE agent on libwebrtc that answers one offer, says a tone and records; it stands where the bridge will, to prove the peers. */
export class LibWebRtc {
  readonly #heard: Int16Array[] = [];
  #sink: AudioSink | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly connection: PeerConnection,
    private readonly source: AudioSource,
    private readonly play: Sound,
  ) {}

  /** Makes an agent that will say `play`, looped; 48 kHz. */
  static async start(play: Sound): Promise<LibWebRtc> {
    const { RTCPeerConnection, nonstandard } = await loadWrtc();
    const agent = new LibWebRtc(new RTCPeerConnection({ iceServers: [] }), new nonstandard.RTCAudioSource(), play);
    agent.connection.addTrack(agent.source.createTrack());
    agent.connection.ontrack = ({ track }) => {
      const sink = new nonstandard.RTCAudioSink(track);
      sink.ondata = ({ samples }) => agent.#heard.push(Int16Array.from(samples));
      agent.#sink = sink;
    };
    return agent;
  }

  /** Takes an offer and gives the answer, its candidates gathered. */
  async answer(offer: string): Promise<string> {
    await this.connection.setRemoteDescription({ type: 'offer', sdp: offer });
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    return until('candidates of libwebrtc', 5_000, () =>
      this.connection.iceGatheringState === 'complete' ? this.connection.localDescription?.sdp : undefined,
    );
  }

  async connected(deadlineMs: number): Promise<void> {
    await until('libwebrtc connected', deadlineMs, () => this.connection.connectionState === 'connected' || undefined);
  }

  /** Starts to speak: 10 ms frames, as the source wants them, on an absolute clock. */
  speak(): void {
    const length = this.play.rateHz / 100;
    const start = performance.now();
    let frames = 0;
    this.#timer = setInterval(() => {
      for (; frames * 10 <= performance.now() - start; frames += 1) {
        const samples = Int16Array.from(
          { length },
          (_, index) => 32767 * (this.play.samples[(frames * length + index) % this.play.samples.length] ?? 0),
        );
        const sampleRate = this.play.rateHz;
        this.source.onData({ samples, sampleRate, bitsPerSample: 16, channelCount: 1, numberOfFrames: length });
      }
    }, 5);
  }

  /** Everything heard so far, at 48 kHz. */
  heard(): Sound {
    return {
      rateHz: 48_000,
      samples: Float64Array.from(
        this.#heard.flatMap((one) => [...one]),
        (value) => value / 32768,
      ),
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sink?.stop();
    this.connection.close();
  }
}
