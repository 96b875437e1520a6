import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { SrfApi, SrfDialog } from '../../../src/sip/drachtio-types.js';
import type { LegMedia } from '../../../src/sip/leg-media.js';
import { SipDialog } from '../../../src/sip/sip-dialog.js';

// The embedded server hangs up by itself when an ACK does not come; a drachtio-server waits for ever.
it('an offer of ours that is never acknowledged stands in the way of others for a time only', async () => {
  const dialog = new EventEmitter();
  Object.assign(dialog, { type: 'uac', sip: {}, local: { contact: '<sip:us>' }, req: {} });
  const asked: string[] = [];
  const media = {
    offer: () => Promise.resolve(void asked.push('offer')),
    answer: () => Promise.resolve(void asked.push('answer')),
  } as unknown as LegMedia;
  const clock = new FakeClock();
  new SipDialog({
    ...{ srf: {} as SrfApi, dialog: dialog as unknown as SrfDialog, media, clock, logger: silentLogger },
    ...{ codecs: ['PCMA'], byeMs: 1, ackMs: 34_000, login: () => undefined, onEvent: () => undefined },
  });
  let seq = 0;
  const reinvite = (body: string): Promise<number> =>
    new Promise((resolve) => {
      seq++;
      const get = (name: string) => (name === 'Content-Type' ? 'application/sdp' : undefined);
      const request = { method: 'INVITE', body, get, getParsedHeader: () => ({ seq }) };
      dialog.emit('modify', request, { send: resolve });
    });
  expect(await reinvite('')).toBe(200);
  clock.advance(33_999);
  expect(await reinvite('v=0\r\n')).toBe(491);
  clock.advance(1);
  expect(await reinvite('v=0\r\n')).toBe(200);
  expect(asked).toEqual(['offer', 'answer']);
});
