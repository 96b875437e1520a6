import { describe, expect, it } from 'vitest';
import { errorsOf, warningsOf, working } from './load.js';

describe('srtp behind an outbound proxy', () => {
  const trunk = (srtp: string, transport: string): string[] => [
    `srtp: ${srtp}`,
    `outbound_proxy: { hostname: proxy.example, transport: ${transport} }`,
  ];

  it.each(['required', 'optional'])('%s is fine where the proxy is reached by TLS', (srtp) => {
    const text = working({ trunk: trunk(srtp, 'tls') });
    expect([...errorsOf(text), ...warningsOf(text)].filter((line) => line.includes('.srtp:'))).toEqual([]);
  });

  it('is judged by a proxy without TLS', () => {
    expect(errorsOf(working({ trunk: trunk('required', 'udp') }))).toEqual([
      expect.stringContaining('trunks[0].srtp: needs TLS, or its keys could be read on the way'),
    ]);
    expect(warningsOf(working({ trunk: trunk('optional', 'tcp') }))).toEqual([
      expect.stringContaining('trunks[0].srtp: has no effect without TLS'),
    ]);
  });
});
