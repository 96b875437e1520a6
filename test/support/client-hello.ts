const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;

/** What a ClientHello says, read off the wire (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1). */
export interface ClientHello {
  readonly serverName: string | undefined;
  readonly alpn: readonly string[] | undefined;
}

/** Reads the first record a TLS client sends; undefined when it is no ClientHello in one piece. */
export function readClientHello(bytes: Buffer): ClientHello | undefined {
  if (bytes[0] !== HANDSHAKE || bytes[5] !== CLIENT_HELLO || bytes.length < 5 + bytes.readUInt16BE(3)) return undefined;
  // record header 5, handshake header 4, version 2, random 32
  let at = 43;
  at += 1 + bytes.readUInt8(at);
  at += 2 + bytes.readUInt16BE(at);
  at += 1 + bytes.readUInt8(at);
  const end = at + 2 + bytes.readUInt16BE(at);
  const extensions = new Map<number, Buffer>();
  for (at += 2; at < end;) {
    const length = bytes.readUInt16BE(at + 2);
    extensions.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const name = extensions.get(SERVER_NAME);
  return { serverName: name?.toString('latin1', 5), alpn: protocolsOf(extensions.get(ALPN)) };
}

function protocolsOf(extension: Buffer | undefined): string[] | undefined {
  if (!extension) return undefined;
  const names: string[] = [];
  for (let at = 2; at < extension.length; at += 1 + extension.readUInt8(at)) {
    names.push(extension.toString('latin1', at + 1, at + 1 + extension.readUInt8(at)));
  }
  return names;
}
