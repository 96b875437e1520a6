/** The business number of the tests, its app's secret, a user who calls or is called, and the SDP of its PBX. */
export const APP_SECRET = 'app-secret-of-the-test';
export const NUMBER_ID = '105615555715855';
export const BUSINESS = '15551112222';
export const USER = '14085551234';

/** SDP of a PBX that takes A-law on this port. */
export const pbxSdp = (port: number, formats = '8 101', more: readonly string[] = []): string =>
  [
    ...[
      'v=0',
      'o=pbx 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${port} RTP/AVP ${formats}`,
    ],
    ...['a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000', 'a=ptime:20', ...more, ''],
  ].join('\r\n');
