import {
  agentAnswer,
  credentials,
  MODES,
  PBX_ADDRESS,
  plainDescription,
  readDescription,
  WHATSAPP_ADDRESS,
} from './descriptions.mjs';
import { endProcess, startProcess } from './measured-process.mjs';
import { NgClient } from './ng.mjs';

const ADDRESS = '127.0.0.60';
const CONTROL_PORT = 2223;
const FIRST_PORT = 30_000;
const LAST_PORT = 39_998;
const opus = { name: 'opus', format: MODES.passthrough.format };

/** rtpengine in userspace (no kernel table), one thread for packets; its other settings are its defaults. */
export class RtpengineRelay {
  name = 'rtpengine';

  /**
   * Once a queue of a call has been too long for it, it discards that call's packets for ever (10.5). And a transcoder that was
   * caught cold buffers more for a while: calls are opened anew, so that a window is not judged by the one before.
   */
  isSpoiltBy(fault) {
    return fault === 'loss' || (fault === 'delay' && this.mode.buffers);
  }

  constructor(child, mode) {
    this.child = child;
    this.mode = mode;
    this.ng = new NgClient(ADDRESS, CONTROL_PORT);
  }

  static async start({ mode, core }) {
    const command = [
      'rtpengine',
      '--table=-1',
      '--foreground',
      '--log-stderr',
      '--log-level=1',
      '--config-file=none',
      `--interface=${ADDRESS}`,
      `--listen-ng=${ADDRESS}:${CONTROL_PORT}`,
      `--port-min=${FIRST_PORT}`,
      `--port-max=${LAST_PORT}`,
      '--num-threads=1',
      '--delete-delay=0',
    ];
    const child = startProcess(command, { core, stdio: ['ignore', process.stderr, process.stderr] });
    const relay = new RtpengineRelay(child, MODES[mode]);
    await relay.ng.ask({ command: 'ping' });
    return relay;
  }

  get pid() {
    return this.child.pid;
  }

  async open(call, load, legs) {
    const { codec, format, payloadType } = this.mode;
    legs.pbx = await load.leg('pbx', PBX_ADDRESS, this.mode.pbx, payloadType);
    const names = { 'call-id': `bench-${call}`, 'from-tag': 'pbx' };
    const offered = await this.ng.ask({
      command: 'offer',
      ...names,
      sdp: plainDescription({ leg: legs.pbx, payloadType, format }),
      replace: ['origin', 'session-connection'],
      'transport-protocol': 'UDP/TLS/RTP/SAVPF',
      ICE: 'force',
      'ICE-lite': 'forward',
      DTLS: 'passive',
      SDES: ['off'],
      'rtcp-mux': ['offer', 'require'],
      ...(codec === opus.name ? {} : { codec: { transcode: [opus.format], mask: ['all'] } }),
    });
    const whatsApp = readDescription(offered.sdp, opus.format);
    legs.whatsApp = await load.leg('whatsapp', WHATSAPP_ADDRESS, this.mode.whatsApp, whatsApp.payloadType);
    load.pair(legs.whatsApp, legs.pbx);
    const own = credentials();
    load.remote(legs.whatsApp, whatsApp.address, whatsApp.port);
    const answered = await this.ng.ask({
      command: 'answer',
      ...names,
      'to-tag': 'whatsapp',
      sdp: agentAnswer({
        fingerprint: load.fingerprint,
        leg: legs.whatsApp,
        own,
        payloadType: whatsApp.payloadType,
      }),
      replace: ['origin', 'session-connection'],
      ICE: 'remove',
      'transport-protocol': 'RTP/AVP',
      'rtcp-mux': ['demux'],
    });
    const pbx = readDescription(answered.sdp, format);
    load.remote(legs.pbx, pbx.address, pbx.port);
    load.secure(legs.whatsApp, 'client', own, whatsApp.credentials);
    await load.when('up', legs.whatsApp);
    load.go(legs.pbx);
  }

  close(call) {
    return this.ng.ask({ command: 'delete', 'call-id': `bench-${call}`, 'from-tag': 'pbx', 'delete-delay': 0 });
  }

  async stop() {
    this.ng.close();
    await endProcess(this.child);
  }
}
