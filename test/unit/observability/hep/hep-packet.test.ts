import { describe, expect, it } from 'vitest';
import { HEP_TYPE, hepPacket, type HepPacket } from '../../../../src/observability/hep/hep-packet.js';
import { readHep } from '../../../support/hep-reader.js';

const packet: HepPacket = {
  type: HEP_TYPE.sip,
  from: { address: '192.0.2.1', port: 5060 },
  to: { address: '198.51.100.7', port: 5080 },
  isTcp: false,
  atUs: 1_795_000_000_000_042,
  captureId: 2001,
  password: '',
  correlationId: 'abc@pbx',
  payload: Buffer.from('OPTIONS sip:a SIP/2.0\r\n\r\n'),
};

describe('a HEP3 packet', () => {
  it('is, byte for byte, what the specification draws', () => {
    const expected = [
      '48455033 0089', // HEP3, whole length
      '0000 0001 0007 02', // family: IPv4
      '0000 0003 000a c0000201',
      '0000 0004 000a c6336407',
      '0000 0002 0007 11', // UDP
      '0000 0007 0008 13c4',
      '0000 0008 0008 13d8',
      `0000 0009 000a ${(1_795_000_000).toString(16)}`,
      '0000 000a 000a 0000002a',
      '0000 000b 0007 01', // SIP
      '0000 000c 000a 000007d1',
      `0000 0011 000d ${Buffer.from('abc@pbx').toString('hex')}`,
      `0000 000f 001f ${packet.payload.toString('hex')}`,
    ];
    expect(hepPacket(packet)?.toString('hex')).toBe(expected.join('').replaceAll(' ', ''));
  });

  it('is of IPv6 as soon as one end is, and says TCP and the password', () => {
    const built = hepPacket({ ...packet, to: { address: '2001:db8::5', port: 5061 }, isTcp: true, password: 'geheim' });
    expect(readHep(built ?? Buffer.alloc(0))).toMatchObject({
      ...{ family: 10, from: '0:0:0:0:0:ffff:c000:201', to: '2001:db8:0:0:0:0:0:5' },
      ...{ protocol: 6, password: 'geheim', toPort: 5061 },
    });
  });

  it('shows what is no address as the unspecified one', () => {
    const built = hepPacket({ ...packet, from: { address: 'pbx.example.com', port: 5060 } });
    expect(readHep(built ?? Buffer.alloc(0))).toMatchObject({ family: 2, from: '0.0.0.0', to: '198.51.100.7' });
  });

  it('is as long as a datagram at most', () => {
    const rest = hepPacket({ ...packet, payload: Buffer.alloc(0) })?.length ?? 0;
    expect(hepPacket({ ...packet, payload: Buffer.alloc(65_507 - rest) })?.length).toBe(65_507);
    expect(hepPacket({ ...packet, payload: Buffer.alloc(65_508 - rest) })).toBeUndefined();
  });
});
