import { describe, expect, it } from 'vitest';
import type { Trunk } from '../../../src/routing/types.js';
import { srtpSuites } from '../../../src/sdp/sdes.js';
import { srtpOf } from '../../../src/sip/srtp-policy.js';

const trunk = (fields: Partial<Trunk>): Trunk => fields as Trunk;

describe('SRTP of a leg', () => {
  it.each(['udp', 'tcp', 'tls', 'wss'])('is off where the trunk has it off, over %s', (transport) => {
    expect(srtpOf(trunk({ srtp: 'off', srtpWithoutTls: true }), transport)).toEqual({});
  });

  it.each(['tls', 'TLS'])('is what the trunk says over %s', (transport) => {
    expect(srtpOf(trunk({ srtp: 'optional' }), transport)).toEqual({ srtp: { mode: 'optional', suites: srtpSuites } });
    const suites = ['AES_CM_128_HMAC_SHA1_32'] as const;
    expect(srtpOf(trunk({ srtp: 'required', srtpSuites: suites }), transport)).toEqual({
      srtp: { mode: 'required', suites },
    });
  });

  it.each(['udp', 'tcp', 'ws', ''])(
    'is off over %s where it is optional, and refused where it is required',
    (transport) => {
      expect(srtpOf(trunk({ srtp: 'optional' }), transport)).toEqual({});
      expect(() => srtpOf(trunk({ srtp: 'required' }), transport)).toThrow(
        expect.objectContaining({ endCode: 'no_codec' }) as Error,
      );
    },
  );

  it('does without TLS where the trunk says so', () => {
    for (const mode of ['optional', 'required'] as const) {
      expect(srtpOf(trunk({ srtp: mode, srtpWithoutTls: true }), 'udp').srtp?.mode).toBe(mode);
    }
  });
});
