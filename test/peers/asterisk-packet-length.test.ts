import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asteriskCallsUser, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import { tone, type Asterisk } from '../support/peers/asterisk.js';
import { expectTone, expectTones } from '../support/peers/hearing.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

/** A-law has an octet for each eighth of a millisecond. */
const octetsAMs = 8;

/** Lengths of the packets in Asterisk's log, in milliseconds, the first of a stream left out: it may be cut. */
function lengths(asterisk: Asterisk, way: 'Got' | 'Sent'): number[] {
  const lines = asterisk.log().matchAll(new RegExp(`${way} +RTP packet (?:from|to) .*?type 08.*?len 0*(\\d+)`, 'g'));
  return [...lines].slice(1).map(([, octets]) => Number(octets) / octetsAMs);
}

// Asterisk with `allow = alaw:<length>`: its SDP asks for packets of this length, and it sends such.
describe.each([10, 20, 30, 40, 60])('packets of %i ms with Asterisk', (ptimeMs) => {
  const allow = `alaw:${ptimeMs}`;
  const start = (endpoint: Readonly<Record<string, string>>, to?: string) => {
    const options = { codecs: '[PCMA]', ...(to === undefined ? {} : { to }) };
    return startWithAsterisk(scene, { changes: { 'sip2wa/endpoint': endpoint } }, options);
  };

  /** All packets but a few, which Asterisk cuts where a sound begins or ends. */
  const expectLengths = (asterisk: Asterisk, way: 'Got' | 'Sent'): void => {
    const seen = lengths(asterisk, way);
    const told = `${way} ${JSON.stringify(seen.slice(0, 40))}`;
    expect(seen.length, told).toBeGreaterThan(700 / ptimeMs);
    expect(seen.filter((one) => one !== ptimeMs).length, told).toBeLessThanOrEqual(way === 'Got' ? 0 : 2);
  };

  it('in a call of a user: both hear the other, and each sends such packets', async () => {
    const { asterisk, bridge } = await start({ allow }, '620');
    await asterisk.logRtp();
    const call = await WhatsAppCall.fromUser(scene, bridge);
    await call.preAccepted();
    await call.accepted();
    await listenFor(1_500);
    await bridge.meta.userHangsUp('USER_INITIATED');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, userToneHz, 1_000);
    expectTone(await asterisk.heard(), userToneHz, 1_000);
    expectLengths(asterisk, 'Got');
    expectLengths(asterisk, 'Sent');
    expect(bridge.complaints).toEqual([]);
  });

  it('in a call to a user: both hear the other, and each sends such packets', async () => {
    // By its own offer it would not go; by what we answer it does.
    const { asterisk, bridge } = await start({ allow, use_ptime: 'yes' });
    await asterisk.logRtp();
    expectTones(await asteriskCallsUser(scene, asterisk, bridge), [{ ...tone, atLeastMs: 800 }]);
    expectTone(await asterisk.heard(), userToneHz, 1_000);
    expectLengths(asterisk, 'Got');
    expectLengths(asterisk, 'Sent');
    expect(bridge.complaints).toEqual([]);
  });
});
