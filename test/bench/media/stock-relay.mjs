import { credentials, metaDescription, MODES } from './descriptions.mjs';
import { MeasuredProcess } from './measured-process.mjs';
import { NODE_FLAGS, openLegs } from './relays.mjs';

/** werift without any code of ours, by its track API. */
export class StockRelay {
  name = 'stock werift';

  constructor(child) {
    this.child = child;
  }

  static async start({ core, profileDir }) {
    return new StockRelay(await MeasuredProcess.start('stock-process.mjs', { core, profileDir, flags: NODE_FLAGS }));
  }

  get pid() {
    return this.child.pid;
  }

  async open(call, load, legs) {
    await openLegs(load, legs, MODES.passthrough);
    const own = credentials();
    load.secure(legs.whatsApp, 'server', own);
    const offer = metaDescription({ fingerprint: load.fingerprint, leg: legs.whatsApp, own, setup: 'actpass' });
    const { address, port } = await this.child.ask('open', { call, offer, pbx: legs.pbx });
    load.remote(legs.pbx, address, port);
    await this.child.ask('connected', { call });
    await load.when('up', legs.whatsApp);
    load.go(legs.pbx);
  }

  close(call) {
    return this.child.ask('close', { call });
  }

  stop() {
    return this.child.stop();
  }
}
