import { isIP, isIPv6 } from 'node:net';
import type { CallObserver, CallStep } from '../call/observer.js';
import type { MediaBridge } from '../call/media-bridge.js';
import type { MediaSide } from '../call/media-quality.js';
import { bundledClock } from '../lib/bundled-clock.js';
import { guardedClock, type Clock } from '../lib/clock.js';
import type { CallId, IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import { BatchClock } from './batch-clock.js';
import { standardCodecs } from './codec-registry.js';
import { warmUpCodecs } from './codec-warm-up.js';
import { faultLog } from './fault-log.js';
import { g722Module } from './g722/g722-module.js';
import type {
  MediaEndpoint,
  MediaEndpointEvent,
  MediaEngine,
  RtpEndpoint,
  RtpEndpointOptions,
  WebRtcEndpoint,
  WebRtcEndpointOptions,
} from './media-engine.js';
import { MediaError } from './media-error.js';
import type { MediaUsage } from './media-usage.js';
import type { MediaWatchdogLimits } from './media-watchdog.js';
import { PacketCaptures, type CaptureListener, type MediaCapture, type TappedEndpoint } from './packet-capture.js';
import type { PacketPort } from './packet-port.js';
import { PortPool } from './port-pool.js';
import { remoteNetworks, type RemoteNetworks } from './remote-networks.js';
import { UdpRtpEndpoint } from './rtp-endpoint.js';
import { RtpSockets } from './rtp-sockets.js';
import { srtpModule } from './srtp/srtp-module.js';
import { TranscodingBridge } from './transcoding-bridge.js';
import { batchDatagrams } from './udp-batches.js';
import { enableDirectSending } from './udp-sending.js';
import { requireSimd } from './wasm.js';
import { createWeriftEndpoint } from './webrtc-endpoint.js';
import type { PacketPath } from './werift-packets.js';
import { codecsTowardsMeta } from './whatsapp-codecs.js';
import { warmUpWerift } from './werift-warm-up.js';

export interface WeriftMediaEngineOptions {
  /** Address that media sockets bind. */
  readonly listenIp: string;
  /** Address that stands in the SDP for `listenIp`, behind 1:1 NAT; empty for none. */
  readonly advertisedIp: string;
  /** First and last UDP port of the PBX side. */
  readonly rtpPorts: readonly [number, number];
  /** First and last UDP port of the WhatsApp side. */
  readonly webrtcPorts: readonly [number, number];
  /** Where media of the WhatsApp side may go. */
  readonly remoteNetworks: RemoteNetworks;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  /** Is told of ICE, DTLS and first packets. */
  readonly observer?: CallObserver;
  readonly watchdog?: MediaWatchdogLimits;
  /** How packets run on the WhatsApp side; default: by our own SRTP if the check at start finds that it works. */
  readonly packetPath?: PacketPath;
  /** Nothing else is done in this process: under load it may block for half a millisecond, so that datagrams come in batches. */
  readonly rests?: boolean;
  /** RTP ports that somebody else had a moment ago: they rest before they are used. */
  readonly restingRtpPorts?: readonly number[];
}

interface Entry {
  readonly call: CallId;
  readonly side: MediaSide;
  readonly endpoint: Registered;
  readonly port: PacketPort;
}

/** `openPorts`: of one whose ports are not of the pool. */
type Registered = MediaEndpoint & TappedEndpoint & { readonly port: PacketPort; readonly openPorts?: number };

type Steps = Partial<Record<MediaEndpointEvent['type'], CallStep>>;

const whatsAppSteps: Steps = {
  ice_connected: 'ice.connected',
  dtls_connected: 'dtls.connected',
  first_packet: 'media.first_from_whatsapp',
};
const pbxSteps: Steps = { first_packet: 'media.first_from_pbx', secured: 'media.secured' };
/** A quarter of a frame: the fill-in silence, which is all that waits for a timer, may be so much late. */
const beatQuantumMs = 5;
const wildcards = ['0.0.0.0', '::', ''];
const isPublic = remoteNetworks('public');

/** The media plane in this process: werift on the WhatsApp side, plain RTP on the PBX's, codecs in between. */
export class WeriftMediaEngine implements MediaEngine, MediaCapture {
  readonly #entries = new Map<string, Entry>();
  readonly #codecs = standardCodecs();
  readonly #ports: PortPool;
  readonly #mayReachWhatsApp: (address: string) => boolean;
  /** The beats of all calls wake the process together: alone they would cost more than the packets. */
  readonly #clock: Clock;
  readonly #captures: PacketCaptures;
  #packetPath: PacketPath | undefined;
  #stopped = false;

  /** @throws BadInputError if `remoteNetworks` lists something that is no network. */
  constructor(private readonly options: WeriftMediaEngineOptions) {
    const { rtpPorts, restingRtpPorts: resting = [], clock, ids } = options;
    this.#clock = bundledClock(new BatchClock(clock), beatQuantumMs);
    const random = (): number => Number.parseInt(ids.hex(4), 16) / 0x1_0000_0000;
    this.#ports = new PortPool({ range: rtpPorts, resting, clock, random });
    this.#mayReachWhatsApp = remoteNetworks(options.remoteNetworks);
    this.#captures = new PacketCaptures(clock);
  }

  async start(): Promise<void> {
    requireSimd();
    srtpModule();
    g722Module();
    warmUpCodecs(this.#codecs);
    await enableDirectSending(this.options.logger);
    const working = await warmUpWerift(this.options.logger);
    this.#packetPath = this.options.packetPath ?? working;
    batchDatagrams(this.options.rests === true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#entries.values()].map(({ endpoint }) => endpoint.close()));
  }

  createWebRtcEndpoint(wanted: WebRtcEndpointOptions): Promise<WebRtcEndpoint> {
    this.#expectRunning();
    const { call } = wanted;
    const { listenIp, advertisedIp, webrtcPorts } = this.options;
    const logger = this.options.logger.child({ call, media: 'whatsapp' });
    const endpoint = createWeriftEndpoint({
      call,
      id: this.#newId(),
      listenIp,
      advertisedIp: advertisedIp || listenIp,
      ports: webrtcPorts,
      remoteAllowed: this.#mayReachWhatsApp,
      codecs: () => codecsTowardsMeta(wanted, this.#pbxCodecOf(call)),
      packetPath: this.#packetPath ?? this.options.packetPath,
      logger,
      clock: this.#clockFor(logger),
    });
    return Promise.resolve(this.#register(endpoint, call, 'whatsapp'));
  }

  async createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    this.#expectRunning();
    const logger = this.options.logger.child({ call: options.call, media: 'pbx' });
    const clock = this.#clockFor(logger);
    const codecs = this.#codecs.supported(options.codecs);
    if (codecs.length === 0) throw new MediaError('no_codec', 'no codec of the trunk is built in');
    const maySendTo = remoteNetworks(options.remoteNetworks);
    const { bind, shown } = this.#addresses(options);
    const sockets = await RtpSockets.open(this.#ports, bind, clock);
    if (this.#isStopped()) {
      await sockets.close();
      throw new MediaError('unavailable', 'the media engine stopped meanwhile');
    }
    const endpoint = new UdpRtpEndpoint({
      id: this.#newId(),
      sockets,
      address: shown,
      codecs,
      maySendTo,
      latch: options.symmetricRtp ?? false,
      srtp: options.srtp,
      dtmf: options.dtmf,
      registry: this.#codecs,
      clock,
      ids: this.options.ids,
      logger,
    });
    return this.#register(endpoint, options.call, 'pbx');
  }

  /** The ports that are bound and the frames that were coded so far. */
  get usage(): MediaUsage {
    const webrtcPorts = [...this.#entries.values()].reduce((sum, { endpoint }) => sum + (endpoint.openPorts ?? 0), 0);
    return { rtpPorts: 2 * this.#ports.taken, webrtcPorts, transcoded: this.#codecs.tally.read() };
  }

  /** How hard encoders of Opus work, those at work too: 0 cheapest to 10 best. */
  setOpusComplexity(complexity: number): void {
    const { effort } = this.#codecs.get('opus');
    if (effort) effort.complexity = complexity;
  }

  capture(call: CallId, listener: CaptureListener): () => void {
    return this.#captures.capture(call, listener);
  }

  createBridge(call: CallId): MediaBridge {
    const { watchdog } = this.options;
    const logger = this.options.logger.child({ call });
    return new TranscodingBridge({
      portOf: (mediaId) => this.#entries.get(mediaId)?.port,
      codecs: this.#codecs,
      clock: this.#clockFor(logger),
      logger,
      ...(watchdog ? { watchdog } : {}),
    });
  }

  /** A wildcard binds where the PBX is reached from, so that what the SDP shows is where packets come from. */
  #addresses({ localAddress, remoteNetworks: networks }: RtpEndpointOptions): { bind: string; shown: string } {
    const { listenIp, advertisedIp } = this.options;
    if (!wildcards.includes(listenIp)) return { bind: listenIp, shown: advertisedFor(listenIp, advertisedIp) };
    if (localAddress !== undefined) {
      // Behind 1:1 NAT a PBX on the internet reaches the public address, one in our own network the local one.
      const isBehindNat = !isPublic(localAddress) && networks.every(isPublicNetwork);
      return { bind: localAddress, shown: isBehindNat ? advertisedFor(localAddress, advertisedIp) : localAddress };
    }
    if (advertisedIp === '') throw new MediaError('internal', 'no address to show in the SDP');
    return { bind: isIPv6(advertisedIp) ? '::' : '0.0.0.0', shown: advertisedIp };
  }

  /** One leg's fault in a timer must not end the other calls: it is logged, and what the timer was for goes on. */
  #clockFor(logger: Logger): Clock {
    return guardedClock(this.#clock, faultLog(logger, 'media timer failed'));
  }

  /** What is agreed on with the PBX of a call, if anything is. */
  #pbxCodecOf(call: CallId): PbxCodec | undefined {
    for (const entry of this.#entries.values()) {
      if (entry.call === call && entry.side === 'pbx' && entry.port.audio) return entry.port.audio.codec;
    }
    return undefined;
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #expectRunning(): void {
    if (this.#stopped) throw new MediaError('unavailable', 'the media engine is stopped');
  }

  #newId(): string {
    return this.options.ids.hex(8);
  }

  /** Keeps the endpoint until it is closed, and shows its events to the observer on their way to the leg. */
  #register<T extends Registered>(endpoint: T, call: CallId, side: MediaSide): T {
    const steps = side === 'pbx' ? pbxSteps : whatsAppSteps;
    this.#entries.set(endpoint.id, { call, side, endpoint, port: endpoint.port });
    this.#captures.opened(endpoint, call, side);
    const listen = endpoint.listen.bind(endpoint);
    const close = endpoint.close.bind(endpoint);
    return Object.assign(endpoint, {
      listen: (listener: (event: MediaEndpointEvent) => void) =>
        listen((event) => {
          const step = steps[event.type];
          if (step)
            this.options.observer?.step(call, step, event.type === 'secured' ? { suite: event.suite } : undefined);
          listener(event);
        }),
      close: async () => {
        this.#entries.delete(endpoint.id);
        await close();
        this.#captures.closed(endpoint);
      },
    });
  }
}

/** Judged by the network's first address. */
function isPublicNetwork(cidr: string): boolean {
  return isPublic(cidr.split('/', 1)[0] ?? '');
}

/** What stands for a bound address in the SDP: address translation is of one family. */
function advertisedFor(bound: string, advertisedIp: string): string {
  return isIP(advertisedIp) === isIP(bound) ? advertisedIp : bound;
}
