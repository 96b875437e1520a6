import { parseListen, secretText, wholeNumber, type Format } from './formats.js';

/** `host:port`, the port not 0; or empty. */
const receiverOrEmpty: Format = {
  json: { type: 'string', pattern: '^(.+:\\d{1,5})?$' },
  complaint: (value) => {
    if (value === '' || (parseListen(value)?.port ?? 0) > 0) return undefined;
    return {
      message: 'must be HOST:PORT or empty',
      cure: 'write for example 127.0.0.1:9060 or homer.example.com:9060',
    };
  },
};

/** The section `hep`. */
export const hepKeys = {
  address: {
    default: '',
    doc: 'HEP3 receiver (Homer) that gets SIP, RTCP figures, log lines and the record of each call by UDP, unencrypted; empty: none. With sip.server: drachtio the SIP messages are to be sent by drachtio-server.',
    format: receiverOrEmpty,
    env: 'SIP2WA_HEP_ADDRESS',
  },
  capture_id: {
    default: 2001,
    doc: 'Number by which the receiver tells this bridge from other sources.',
    format: wholeNumber(0, 0xffff_ffff),
  },
  password: {
    default: '',
    doc: 'What the receiver asks for in each packet; empty: nothing.',
    format: secretText,
    sensitive: true,
  },
} as const;
