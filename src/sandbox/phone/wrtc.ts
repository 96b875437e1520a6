import { BridgeError } from '../../lib/bridge-error.js';

/** The part of `@roamhq/wrtc` (libwebrtc) that the phone uses; the package is optional, so its own types are not imported. */
export interface Wrtc {
  readonly RTCPeerConnection: new (config: object) => PeerConnection;
  readonly nonstandard: {
    readonly RTCAudioSource: new () => AudioSource;
    readonly RTCAudioSink: new (track: AudioTrack) => AudioSink;
  };
}

export interface Description {
  readonly type: 'offer' | 'answer';
  readonly sdp: string;
}

export interface PeerConnection {
  readonly localDescription: Description | null;
  readonly iceGatheringState: string;
  readonly iceConnectionState: string;
  readonly connectionState: string;
  onicegatheringstatechange: (() => void) | null;
  oniceconnectionstatechange: (() => void) | null;
  onconnectionstatechange: (() => void) | null;
  ontrack: ((event: { track: AudioTrack }) => void) | null;
  addTrack(track: AudioTrack): RtpSender;
  createOffer(): Promise<Description>;
  createAnswer(): Promise<Description>;
  setLocalDescription(description: Description): Promise<void>;
  setRemoteDescription(description: Description): Promise<void>;
  getStats(): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
  close(): void;
}

export interface AudioTrack {
  stop(): void;
}

/** W3C DTMF sender; libwebrtc has one, `@roamhq/wrtc` 0.10 does not expose it. */
export interface DtmfSender {
  insertDTMF(tones: string, durationMs?: number, gapMs?: number): void;
}

export interface RtpSender {
  readonly dtmf?: DtmfSender | null;
}

export interface AudioFrame {
  readonly samples: Int16Array;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
  readonly channelCount: number;
  readonly numberOfFrames: number;
}

export interface AudioSource {
  createTrack(): AudioTrack;
  onData(frame: AudioFrame): void;
}

export interface AudioSink {
  ondata: ((frame: AudioFrame) => void) | null;
  stop(): void;
}

/** The sandbox's phone cannot run: its optional package is not there. */
export class WrtcMissingError extends BridgeError {
  constructor(cause: unknown) {
    super(
      'SIP2WA_SANDBOX_NO_WRTC',
      'the sandbox phone needs the optional package @roamhq/wrtc, which is not installed or has no binary for this ' +
        'platform; install it with: npm install --include=optional',
      { cause },
    );
  }
}

const PACKAGE: string = '@roamhq/wrtc';

/**
 * The package's clean-up of a Node environment ends in a segmentation fault once a peer connection existed (its issues
 * 7 and 35; seen with 0.10.0 on every run). Leaving the process from the `exit` event skips that clean-up; the exit
 * status stays the one that was to be.
 */
function skipBrokenCleanUp(): void {
  process.on('exit', (code) => process.exit(code));
}

let loaded: Promise<Wrtc> | undefined;

async function load(specifier: string): Promise<Wrtc> {
  const module = (await import(specifier)) as { default?: Wrtc } & Wrtc;
  skipBrokenCleanUp();
  return module.default ?? module;
}

/** Loads libwebrtc, once. @throws WrtcMissingError if the optional package is missing. */
export async function loadWrtc(specifier = PACKAGE): Promise<Wrtc> {
  try {
    return await (specifier === PACKAGE ? (loaded ??= load(specifier)) : load(specifier));
  } catch (error) {
    throw new WrtcMissingError(error);
  }
}
