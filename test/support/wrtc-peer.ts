import { createRequire } from 'node:module';

/** The little of @roamhq/wrtc that is used; its own types need the DOM library. */
interface PeerConnection {
  localDescription: { readonly sdp: string } | null;
  readonly iceGatheringState: string;
  readonly iceConnectionState: string;
  readonly connectionState: string;
  onicegatheringstatechange: (() => void) | null;
  onconnectionstatechange: (() => void) | null;
  ontrack: ((event: { track: Track }) => void) | null;
  addTrack(track: Track): unknown;
  createOffer(): Promise<unknown>;
  createAnswer(): Promise<unknown>;
  setLocalDescription(description: unknown): Promise<void>;
  setRemoteDescription(description: { type: 'offer' | 'answer'; sdp: string }): Promise<void>;
  getStats(): Promise<Map<string, Record<string, unknown>>>;
  close(): void;
}
interface Track {
  stop(): void;
}
interface AudioData {
  readonly samples: Int16Array;
  readonly sampleRate: number;
}
interface Wrtc {
  RTCPeerConnection: new (config?: unknown) => PeerConnection;
  nonstandard: {
    RTCAudioSource: new () => {
      createTrack(): Track;
      onData(
        data: AudioData & {
          readonly bitsPerSample: number;
          readonly channelCount: number;
          readonly numberOfFrames: number;
        },
      ): void;
    };
    RTCAudioSink: new (track: Track) => { ondata: ((data: AudioData) => void) | null; stop(): void };
  };
}

const wrtc = createRequire(import.meta.url)('@roamhq/wrtc') as Wrtc;
const rate = 48_000;
const frameMs = 10;

/** What a peer heard. */
export interface Heard {
  readonly sampleRate: number;
  readonly samples: Int16Array;
}

/**
 * libwebrtc as the far side of a WhatsApp call: its SDP is given Meta's form, and only its loopback address. Plays a tone,
 * keeps what it hears.
 */
export class WrtcPeer {
  readonly #connection = new wrtc.RTCPeerConnection();
  readonly #source = new wrtc.nonstandard.RTCAudioSource();
  readonly #track = this.#source.createTrack();
  #sink: { stop(): void } | undefined;
  #heard: Int16Array[] = [];
  #heardRate = rate;
  #timer: NodeJS.Timeout | undefined;
  #stateWaiters: (() => void)[] = [];

  /**
   * @param hosts loopback addresses that its SDP names
   * @param g711 payload types of what it speaks beside Opus
   */
  constructor(
    private readonly toneHz = 440,
    private readonly hosts: readonly string[] = ['127.0.0.1'],
    private readonly g711: readonly (0 | 8)[] = [],
  ) {
    this.#connection.addTrack(this.#track);
    this.#connection.ontrack = ({ track }) => {
      const sink = new wrtc.nonstandard.RTCAudioSink(track);
      sink.ondata = ({ samples, sampleRate }) => {
        this.#heardRate = sampleRate;
        this.#heard.push(Int16Array.from(samples));
      };
      this.#sink = sink;
    };
    this.#connection.onconnectionstatechange = () => {
      for (const check of this.#stateWaiters) check();
    };
  }

  get connectionState(): string {
    return this.#connection.connectionState;
  }

  /** An offer in the form of Meta's: ICE-lite, one loopback candidate, Opus and telephone-event only. */
  async offer(): Promise<string> {
    await this.#connection.setLocalDescription(await this.#connection.createOffer());
    return metaForm(await this.#gathered(), this.hosts, this.g711);
  }

  /** An answer in the form of Meta's. */
  async answer(offer: string): Promise<string> {
    await this.#connection.setRemoteDescription({ type: 'offer', sdp: offer });
    await this.#connection.setLocalDescription(await this.#connection.createAnswer());
    return metaForm(await this.#gathered(), this.hosts, this.g711);
  }

  accept(answer: string): Promise<void> {
    return this.#connection.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** Waits until libwebrtc says `state`; rejects after `deadlineMs`. */
  reaches(state: string, deadlineMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`wrtc is ${this.connectionState}, not ${state}`)), deadlineMs);
      const check = () => {
        if (this.connectionState !== state) return;
        clearTimeout(timer);
        resolve();
      };
      this.#stateWaiters.push(check);
      check();
    });
  }

  /** Starts to play the tone: 10 ms frames on an absolute clock, a plain interval drifts. */
  play(): void {
    const frame = rate / (1000 / frameMs);
    const start = performance.now();
    let count = 0;
    this.#timer = setInterval(() => {
      for (; count * frameMs <= performance.now() - start; count++) {
        const samples = new Int16Array(frame);
        for (let i = 0; i < frame; i++) {
          samples[i] = 10_000 * Math.sin((2 * Math.PI * this.toneHz * (count * frame + i)) / rate);
        }
        this.#source.onData({ samples, sampleRate: rate, bitsPerSample: 16, channelCount: 1, numberOfFrames: frame });
      }
    }, 5);
  }

  /** All that was heard so far, or since `forget`. */
  get heard(): Heard {
    const samples = new Int16Array(this.#heard.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of this.#heard) {
      samples.set(part, offset);
      offset += part.length;
    }
    return { sampleRate: this.#heardRate, samples };
  }

  forget(): void {
    this.#heard = [];
  }

  /** libwebrtc's own statistics, by type. */
  async stats(type: string): Promise<Record<string, unknown>[]> {
    return [...(await this.#connection.getStats()).values()].filter((entry) => entry['type'] === type);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#sink?.stop();
    this.#track.stop();
    this.#connection.close();
  }

  async #gathered(): Promise<string> {
    if (this.#connection.iceGatheringState !== 'complete') {
      await new Promise<void>((resolve) => {
        this.#connection.onicegatheringstatechange = () => {
          if (this.#connection.iceGatheringState === 'complete') resolve();
        };
      });
    }
    return String(this.#connection.localDescription?.sdp);
  }
}

/** An SDP of libwebrtc as Meta would write it: ICE-lite, only these hosts, Opus, telephone-event at 8 kHz, and these of G.711. */
export function metaForm(sdp: string, hosts: readonly string[], g711: readonly (0 | 8)[] = []): string {
  const wanted = ['111', ...g711.map(String), '126'];
  // In its own order, which in an answer is that of the offer.
  const inOrder = (line: string): string =>
    line.replace(
      /SAVPF (.*)/,
      (_, types: string) =>
        `SAVPF ${types
          .split(' ')
          .filter((type) => wanted.includes(type))
          .join(' ')}`,
    );
  const isWanted = (line: string): boolean => {
    const address = /^a=candidate:\S+ 1 udp \d+ (\S+) /.exec(line)?.[1];
    return address !== undefined && hosts.includes(address);
  };
  const lines = sdp
    .split('\r\n')
    .filter((line) => wanted.includes(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/.exec(line)?.[1] ?? '126'))
    .filter((line) => !line.startsWith('a=candidate') || isWanted(line))
    .map((line) => (line.startsWith('m=audio') ? inOrder(line) : line));
  lines.splice(
    lines.findIndex((line) => line.startsWith('m=')),
    0,
    'a=ice-lite',
  );
  return lines.join('\r\n');
}

/** Amplitude of a tone, 0 to 1, in 16-bit samples, by Goertzel's algorithm. */
export function toneLevel({ samples, sampleRate }: Heard, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRate);
  let [before, last] = [0, 0];
  for (const sample of samples) [before, last] = [last, sample / 32_768 + coefficient * last - before];
  const power = last * last + before * before - coefficient * last * before;
  return samples.length === 0 ? 0 : (2 * Math.sqrt(Math.max(0, power))) / samples.length;
}
