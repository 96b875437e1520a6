import { SrtpReceiver } from '../../src/media/srtp/srtp-receiver.js';
import { SrtpSender } from '../../src/media/srtp/srtp-sender.js';
import type { SrtpSuite } from '../../src/routing/types.js';
import { SrtpKey } from '../../src/sdp/sdes.js';

/** A key of these bytes all alike. */
export function testKey(suite: SrtpSuite, byte: number): SrtpKey {
  return SrtpKey.random(suite, (bytes) => Buffer.alloc(bytes, byte).toString('hex'));
}

/** The same key with an MKI, as its maker tells others of it. */
export function withMki(key: SrtpKey, mki: Buffer): SrtpKey {
  const made = SrtpKey.of(key.suite, Buffer.concat([key.masterKey, key.masterSalt]), mki);
  if (!made) throw new Error('a key of the wrong length');
  return made;
}

/** A sender whose packets may be kept: the one in use hands out the same memory each time. */
export class KeepingSrtpSender extends SrtpSender {
  override sealRtp(packet: Buffer): Buffer {
    return Buffer.from(super.sealRtp(packet));
  }

  override sealRtcp(packet: Buffer): Buffer {
    return Buffer.from(super.sealRtcp(packet));
  }
}

/** Gives each packet a memory of its own: what a receiver gives away lies where the next one will be. */
export class KeepingSrtpReceiver extends SrtpReceiver {
  override openRtp(packet: Buffer): Buffer | undefined {
    const opened = super.openRtp(packet);
    return opened && Buffer.from(opened);
  }

  override openRtcp(packet: Buffer): Buffer | undefined {
    const opened = super.openRtcp(packet);
    return opened && Buffer.from(opened);
  }
}
