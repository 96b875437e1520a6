import { beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../../src/call/end-reason.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import { ReferProgress } from '../../../../src/sip/transfer/refer-progress.js';
import type { Referral } from '../../../../src/sip/transfer/referral.js';

describe('what a referrer is told', () => {
  let clock: FakeClock;
  let sent: string[];
  let answers: ((status: number | undefined) => void)[];

  beforeEach(() => {
    clock = new FakeClock();
    [sent, answers] = [[], []];
  });

  const progress = (eventId?: number): ReferProgress => {
    const notify: Referral['notify'] = (headers, body, done) => {
      sent.push(`${headers['Event']} ${headers['Subscription-State']} ${body}`);
      answers.push(done);
    };
    const options = { clock, logger: silentLogger, answerMs: 5000, expiresS: 65, eventId };
    return new ReferProgress({ notify } as Referral, options);
  };

  it('comes one after the other; news that is old by then is left out', () => {
    const it = progress();
    it.provisional(100);
    it.provisional(180);
    it.provisional(183);
    expect(sent).toEqual(['refer active;expires=65 SIP/2.0 100 Trying\r\n']);
    answers[0]!(200);
    it.answered();
    answers[1]!(200);
    expect(sent.slice(1)).toEqual([
      'refer active;expires=65 SIP/2.0 183 Session Progress\r\n',
      'refer terminated;reason=noresource SIP/2.0 200 OK\r\n',
    ]);
    answers[2]!(200);
    expect(clock.armed).toBe(0);
  });

  it('ends with the outcome, whatever comes after', () => {
    const it = progress(7);
    it.failed(endReason('busy', { text: '486 Busy\r\nHere' }));
    it.provisional(180);
    it.answered();
    answers[0]!(200);
    expect(sent).toEqual(['refer;id=7 terminated;reason=noresource SIP/2.0 486 Busy Here\r\n']);
  });

  it('keeps the outcome before anything else that waits', () => {
    const it = progress();
    it.provisional(100);
    it.answered();
    it.provisional(180);
    answers[0]!(200);
    expect(sent[1]).toContain('200 OK');
  });

  it.each([481, undefined])('stops when a NOTIFY is answered with %s', (status) => {
    const it = progress();
    it.provisional(100);
    it.provisional(180);
    answers[0]!(status);
    it.answered();
    expect(sent).toHaveLength(1);
  });

  it('stops when a NOTIFY is not answered in time; an answer that comes late changes nothing', () => {
    const it = progress();
    it.provisional(100);
    clock.advance(5000);
    answers[0]!(200);
    it.answered();
    expect(sent).toHaveLength(1);
  });
});
