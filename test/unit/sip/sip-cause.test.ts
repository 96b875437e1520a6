import { describe, expect, it } from 'vitest';
import type { SrfMessage, SrfRequest } from '../../../src/sip/drachtio-types.js';
import { reasonOfBye, reasonOfCancel } from '../../../src/sip/sip-cause.js';

const saying = (reason: string | undefined) => ({ source: 'network', get: () => reason }) as unknown as SrfRequest;

describe('the Reason of a BYE and of a CANCEL', () => {
  it.each<[string, string | undefined, { q850: number; text?: string }]>([
    ['none', undefined, { q850: 16 }],
    ['none that can be read', 'Q.850;cause=busy, ;;, "', { q850: 16 }],
    ['RFC 3326 §2', 'Q.850 ;cause=16 ;text="Terminated"', { q850: 16, text: 'Terminated' }],
    ['a status alone', 'SIP ;cause=600 ;text="Busy Everywhere"', { q850: 17, text: 'Busy Everywhere' }],
    ['a status the table has no cause for', 'SIP;cause=299', { q850: 16 }],
    [
      'both in one header, in either order',
      'SIP;cause=480;text="x", Q.850;cause=18;text="a, b"',
      { q850: 18, text: 'a, b' },
    ],
    ['a cause that is none', 'Q.850;cause=0', { q850: 16 }],
    ['another protocol', 'preemption;cause=1;text="UA Preemption"', { q850: 16, text: 'UA Preemption' }],
  ])('%s', (_name, header, expected) => {
    const reason = reasonOfBye(saying(header));
    expect(reason).toMatchObject({ code: 'hangup', ...expected });
    expect(reason.text).toBe(expected.text);
  });

  it('says that the call was taken elsewhere', () => {
    const cancel = saying('SIP;cause=200;text="Call completed elsewhere"') as SrfMessage;
    expect(reasonOfCancel(cancel)).toMatchObject({ code: 'cancelled', q850: 26, text: 'Call completed elsewhere' });
  });
});
