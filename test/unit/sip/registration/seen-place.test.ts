import { describe, expect, it } from 'vitest';
import { flowKey, hasMoved, seenPlace } from '../../../../src/sip/registration/seen-place.js';
import type { SrfResponse } from '../../../../src/sip/drachtio-types.js';

const response = (via: string, from = '192.0.2.1', port = 5060): SrfResponse =>
  ({ source_address: from, source_port: port, protocol: 'udp', get: () => via }) as unknown as SrfResponse;
const via = (extra: string): string => `SIP/2.0/UDP 10.0.0.1:5060;rport${extra};branch=z9hG4bK1`;

describe('seenPlace', () => {
  it('reads both ends, and our address only from a server that tells it', () => {
    expect(seenPlace(response(via('=4711;received=198.51.100.7')))).toEqual({
      ...{ server: 'udp 192.0.2.1 5060', us: '198.51.100.7:4711' },
    });
    expect(seenPlace(response(via('=4711'))).us).toBe(':4711');
    expect(seenPlace(response(via(''))).us).toBeUndefined();
  });

  it.each([
    ['another port', via('=4712'), '192.0.2.1', true],
    ['another address', via('=4711;received=198.51.100.7'), '192.0.2.1', true],
    ['the same', via('=4711'), '192.0.2.1', false],
    ['nothing', via(''), '192.0.2.1', false],
    ['another port, as another server sees it', via('=4712'), '192.0.2.2', false],
  ])('has moved: %s', (_what, now, from, expected) => {
    expect(hasMoved(seenPlace(response(via('=4711'))), seenPlace(response(now, from)))).toBe(expected);
  });
});

describe('flowKey', () => {
  it('is the same however a protocol and an IPv6 address are written', () => {
    const one = flowKey({ protocol: 'tcp', host: '2001:db8::a', port: 5060 });
    expect(flowKey({ protocol: 'TCP', host: '[2001:DB8::A]', port: 5060 })).toBe(one);
    expect(flowKey({ protocol: 'tls', host: '2001:db8::a', port: 5060 })).not.toBe(one);
  });
});
