import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '../support/peers/addresses.js';
import { phonesPort } from '../support/peers/asterisk.js';
import { phoneToneHz, startPhone, startWithAsterisk } from '../support/peers/asterisk-scene.js';
import { expectTone } from '../support/peers/hearing.js';
import { business, second, user } from '../support/peers/meta.js';
import { Scene } from '../support/peers/scene.js';
import { listenFor } from '../support/peers/until.js';
import { userToneHz, WhatsAppCall } from '../support/peers/whatsapp-call.js';

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

// The dial plan that is shipped for operators, with phones behind it.
describe('the dial plan for Asterisk', () => {
  it.each([
    ['a call without payload', undefined, '100'],
    ['the payload `sales`', 'sales', '101'],
    ['a payload that would be an expression', 'x" = "x" | "', '100'],
    ['a payload with functions, quotes and commas', '${SHELL(id)}"sales" = "sales",1)\\r\\nX: $[1]', '100'],
  ])('sends %s to its phone, and both hear each other', async (_, payload, phone) => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, {});
    await asterisk.logSip();
    const called = await startPhone(scene, phone);
    const call = await WhatsAppCall.fromUser(scene, bridge, payload);
    await call.accepted();
    const { peeruri } = await called.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_500);
    await called.command('hangup');
    await bridge.meta.request('terminate');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, phoneToneHz, 700);
    expectTone(await called.heard(), userToneHz, 700);
    expect(peeruri).toContain(user);
    expect(/^X-WA-Payload: .*$/m.test(asterisk.log())).toBe(payload !== undefined);
    expect(asterisk.log()).not.toMatch(/ast_yyerror|ast_expr|syntax error|(?:WARNING|ERROR)\[\d+\]\[C-/);
  });

  it('dials with the business number that was chosen, and the user is heard and hears', async () => {
    const { asterisk, bridge } = await startWithAsterisk(scene, {}, { second });
    await asterisk.logSip();
    const phone = await startPhone(scene, '100');
    const call = await WhatsAppCall.toUser(scene, bridge);
    await phone.command('dial', `sip:7${user}@${address.asterisk}:${phonesPort}`);
    await call.ringsAndPicksUp();
    await phone.event('CALL_ESTABLISHED', 5_000);
    await listenFor(1_500);
    await phone.command('hangup');
    await bridge.meta.request('terminate');
    await asterisk.idle(5_000);
    await bridge.idle(5_000);
    expectTone((await call.judge()).heard, phoneToneHz, 700);
    expectTone(await phone.heard(), userToneHz, 700);
    expect(asterisk.log()).toMatch(new RegExp(`^X-WA-Number-Id: ${second.id}$`, 'm'));
    expect(bridge.meta.requests[0]).toMatchObject({ action: 'connect', numberId: second.id, to: user });
    expect(second.id).not.toBe(business.id);
  });
});
