import { MeasuredProcess } from './measured-process.mjs';
import {
  credentials,
  metaDescription,
  MODES,
  OPUS_PAYLOAD_TYPE,
  PBX_ADDRESS,
  plainDescription,
  readDescription,
  WHATSAPP_ADDRESS,
} from './descriptions.mjs';

/** As the daemon's media workers are started: short collections of the young generation, Node's own code in large pages. */
export const NODE_FLAGS = ['--max-semi-space-size=2', '--use-largepages=silent'];

/*
 * A relay has a pid, `open(call, load, legs)`, which joins two legs of the load by a call, notes them in `legs` and resolves
 * once packets pass, `close(call)` and `stop()`.
 */

/** Opens the two legs of a call, known to each other. */
export async function openLegs(load, legs, { whatsApp, pbx, payloadType }) {
  legs.whatsApp = await load.leg('whatsapp', WHATSAPP_ADDRESS, whatsApp, OPUS_PAYLOAD_TYPE);
  legs.pbx = await load.leg('pbx', PBX_ADDRESS, pbx, payloadType);
  load.pair(legs.whatsApp, legs.pbx);
}

/** sip2wa's media engine. */
export class EngineRelay {
  name = 'sip2wa';

  constructor(child, mode) {
    this.child = child;
    this.mode = mode;
  }

  /** Calls whose buffers have grown are opened anew, as those of rtpengine: a window is not judged by the one before. */
  isSpoiltBy(fault) {
    return this.mode.buffers && (fault === 'loss' || fault === 'delay');
  }

  static async start({ mode, core, profileDir }) {
    return new EngineRelay(
      await MeasuredProcess.start('engine-process.mjs', { core, profileDir, flags: NODE_FLAGS }),
      MODES[mode],
    );
  }

  get pid() {
    return this.child.pid;
  }

  async open(call, load, legs) {
    const { codec, format } = this.mode;
    await openLegs(load, legs, this.mode);
    const own = credentials();
    load.secure(legs.whatsApp, 'server', own);
    const offer = metaDescription({ fingerprint: load.fingerprint, leg: legs.whatsApp, own, setup: 'actpass' });
    const { pbxOffer } = await this.child.ask('offered', { call, codec, offer });
    const { address, port, payloadType } = readDescription(pbxOffer, format);
    load.remote(legs.pbx, address, port);
    await this.child.ask('connect', { call, pbxAnswer: plainDescription({ leg: legs.pbx, payloadType, format }) });
    await load.when('up', legs.whatsApp);
    load.go(legs.pbx);
  }

  /** Warnings and errors that the engine logged. */
  complaints() {
    return this.child.ask('complaints');
  }

  /** What is not the same at all times: how hard Opus is coded. */
  state() {
    return this.child.ask('state');
  }

  memory() {
    return this.child.ask('memory');
  }

  close(call) {
    return this.child.ask('close', { call });
  }

  stop() {
    return this.child.stop();
  }
}

/** A bare `dgram` loop. */
export class ForwarderRelay {
  name = 'dgram';

  constructor(child) {
    this.child = child;
  }

  static async start({ core, profileDir }) {
    const words = { core, profileDir, flags: NODE_FLAGS };
    return new ForwarderRelay(await MeasuredProcess.start('forwarder-process.mjs', words));
  }

  get pid() {
    return this.child.pid;
  }

  async open(call, load, legs) {
    await openLegs(load, legs, MODES.passthrough);
    const { address, whatsAppPort, pbxPort } = await this.child.ask('open', { call, ...legs });
    load.remote(legs.whatsApp, address, whatsAppPort);
    load.remote(legs.pbx, address, pbxPort);
    load.go(legs.whatsApp);
    load.go(legs.pbx);
  }

  close(call) {
    return this.child.ask('close', { call });
  }

  stop() {
    return this.child.stop();
  }
}
