const headerBytes = 13;
const contentType = { changeCipherSpec: 20, handshake: 22 } as const;
/** Certificate, CertificateVerify, ClientKeyExchange: what a DTLS client repeats when our last flight was lost. */
const repeatable = new Set([11, 15, 16]);
/** A flight is four or five records; more are an attempt to fill the memory. */
const maxRecords = 16;

/**
 * Tells what a peer must be allowed to repeat in plaintext once keys are set: the flight of its own handshake, octet for octet,
 * if it missed our answer to it (RFC 6347 §4.2.4). Any other plaintext record is forgeable by anyone who can forge a source
 * address: an alert closes the connection, a ClientHello restarts it, a Certificate that is none breaks it.
 */
export class HandshakeFlight {
  /** Bodies of records; a repeated one has a new number in its header. */
  readonly #bodies = new Set<string>();

  /** Remembers what may be repeated; to be shown every datagram of DTLS until the handshake is done. */
  note(datagram: Buffer): void {
    eachRecord(datagram, (type, epoch, body) => {
      const isOfFlight = type === contentType.handshake && epoch === 0 && repeatable.has(body[0] ?? 0);
      if (isOfFlight && this.#bodies.size < maxRecords) this.#bodies.add(body.toString('latin1'));
      return true;
    });
  }

  /** Whether a datagram that comes after the handshake holds nothing but what is encrypted or repeated. */
  allows(datagram: Buffer): boolean {
    return eachRecord(
      datagram,
      (type, epoch, body) =>
        epoch > 0 ||
        type === contentType.changeCipherSpec ||
        (type === contentType.handshake && this.#bodies.has(body.toString('latin1'))),
    );
  }
}

/** Walks over the records of a datagram as long as `visit` is content with them; false if it was not, or a header is cut off. */
function eachRecord(datagram: Buffer, visit: (type: number, epoch: number, body: Buffer) => boolean): boolean {
  for (let start = 0; start < datagram.length;) {
    if (start + headerBytes > datagram.length) return false;
    const end = start + headerBytes + datagram.readUInt16BE(start + 11);
    const body = datagram.subarray(start + headerBytes, end);
    if (!visit(datagram[start] ?? 0, datagram.readUInt16BE(start + 3), body)) return false;
    start = end;
  }
  return true;
}
