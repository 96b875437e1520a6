/* The caller's requests, as a PBX writes them, and the little reading its answers need. Text is latin1. */

const CRLF = '\r\n';

/** G.711 both ways and telephone events, as PBXs offer it. */
export const SDP = [
  'v=0',
  'o=pbx 1760000000 1760000000 IN IP4 127.0.0.1',
  's=call',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 16384 RTP/AVP 8 0 101',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
  'a=sendrecv',
  '',
].join(CRLF);

const common = (call, method, branch, to) => [
  `Via: SIP/2.0/UDP ${call.here};branch=z9hG4bK${branch}${call.key};rport`,
  'Max-Forwards: 70',
  `From: "Bench Caller" <sip:+4930${call.number}@${call.here}>;tag=${call.fromTag}`,
  `To: ${to}`,
  `Call-ID: ${call.callId}`,
  `CSeq: ${method === 'BYE' ? 2 : 1} ${method}`,
];

const text = (lines, body = '') =>
  Buffer.from([...lines, `Content-Length: ${body.length}`, '', body].join(CRLF), 'latin1');

/** About 1,000 bytes, as in the field. */
export const invite = (call) =>
  text(
    [
      `INVITE ${call.uri} SIP/2.0`,
      ...common(call, 'INVITE', 'i', `<${call.uri}>`),
      `Contact: <sip:+4930${call.number}@${call.here}>`,
      'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE',
      'Supported: replaces, timer, norefersub',
      `P-Asserted-Identity: "Bench Caller" <sip:+4930${call.number}@${call.here}>`,
      'User-Agent: bench-pbx 1.0',
      'Content-Type: application/sdp',
    ],
    SDP,
  );

/** The ACK to the 200, and BYE: both go to the server's Contact. */
export const ack = (call) => text([`ACK ${call.target} SIP/2.0`, ...common(call, 'ACK', 'a', call.to)]);
export const bye = (call) => text([`BYE ${call.target} SIP/2.0`, ...common(call, 'BYE', 'b', call.to)]);

/** Value of the first header of this name, as the server writes it; empty when there is none. */
export function valueOf(message, name) {
  const start = message.indexOf(`${CRLF}${name}: `);
  if (start < 0) return '';
  const from = start + name.length + 4;
  return message.slice(from, message.indexOf(CRLF, from));
}

/** Status of a response; 0 when it is none. */
export const statusOf = (message) => (message.startsWith('SIP/2.0 ') ? Number(message.slice(8, 11)) : 0);

/** Is the body as long as its header says? */
export function isWhole(message) {
  const end = message.indexOf(CRLF + CRLF);
  return end > 0 && message.length - end - 4 === Number(valueOf(message, 'Content-Length'));
}
