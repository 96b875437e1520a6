import * as sdpTransform from 'sdp-transform';
import type { SdpDress } from '../../../src/sandbox/phone/phone-media.js';

/** libwebrtc in the daemon's place: Opus and telephone-event/8000 only, no candidates, and the relay's address taken as it is. */
export const businessDress: SdpDress = {
  prepareOffer: (offer) => offer,
  incoming: (description) => description,
  outgoing: (description) => {
    const session = sdpTransform.parse(description);
    for (const media of session.media) {
      delete media.candidates;
      media.port = 9;
      media.connection = { version: 4, ip: '0.0.0.0' };
      media.rtp = media.rtp.filter(
        ({ codec, rate }) => codec === 'opus' || (codec === 'telephone-event' && rate === 8000),
      );
      const payloads = media.rtp.map(({ payload }) => payload);
      media.payloads = payloads.join(' ');
      media.fmtp = media.fmtp.filter(({ payload }) => payloads.includes(payload));
      media.rtcpFb = [];
      media.ext = [];
    }
    return sdpTransform.write(session);
  },
};
