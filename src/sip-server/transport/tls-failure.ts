const UNKNOWN_AUTHORITY = 'its certificate is of an authority that is not trusted';
const NO_TLS = 'it speaks no TLS on that port';
const OURS_REFUSED = 'it does not accept our certificate';

/** Node's and OpenSSL's codes, in the words of someone who has to repair it. */
const TEXTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  ERR_SSL_HTTP_REQUEST: NO_TLS,
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it offers no version of TLS from 1.2 on',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it takes no version of TLS from 1.2 on',
  ERR_SSL_NO_SHARED_CIPHER: 'there is no common cipher',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it shows no certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: OURS_REFUSED,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: OURS_REFUSED,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: OURS_REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: OURS_REFUSED,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: OURS_REFUSED,
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'it knows none of the application protocols offered (alpn)',
  ECONNRESET: 'it closed the connection in the handshake',
};
const MAX_TEXT = 200;

/** What is wrong with a peer, in words; names in certificates come from outside and are cut. */
export function tlsFailureText(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const known = Object.hasOwn(TEXTS, code) ? TEXTS[code] : undefined;
  if (known !== undefined) return known;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name: ${printable(error.message)}`;
  return printable(error.message);
}

const printable = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT);
