const headerBytes = 13;
const contentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;
const dtls12 = 0xfefd;
/** Keys change once: whoever renegotiates is none of ours (RFC 8827 §6.5 forbids it). */
const encryptedEpoch = 1;
const encrypted = new Set<number>([contentType.alert, contentType.handshake, contentType.applicationData]);
/**
 * Descriptions of alerts (RFC 5246 §7.2). The stack looks for one in the second octet before it decrypts, and believes what it
 * finds. Peers' encrypted alerts begin with a nonce made of epoch and number (RFC 6347 §4.1.2), whose second octet is 1.
 */
const alertDescriptions = new Set([
  ...[0, 10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 90, 100, 110],
  ...[111, 112, 113, 114, 115, 116, 120],
]);
/** Certificate, CertificateVerify, ClientKeyExchange: what a DTLS client repeats when our last flight was lost. */
const repeatable = new Set([11, 15, 16]);
/** A flight is four or five records; more are an attempt to fill the memory. */
const maxRecords = 16;

interface DtlsRecord {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly body: Buffer;
}

/**
 * Tells what a peer may send once keys are set: encrypted records, and in plaintext the flight of its own handshake, octet for
 * octet, if it missed our answer to it (RFC 6347 §4.2.4). Anything else is forgeable by anyone who can forge a source address,
 * and the stack takes it: an alert or an unknown type closes the connection, in epochs that never began as well, a ClientHello
 * restarts it, a Certificate that is none breaks it.
 */
export class HandshakeFlight {
  /** Bodies of records; a repeated one has a new number in its header. */
  readonly #bodies = new Set<string>();

  /** Remembers what may be repeated; to be shown every datagram of DTLS until the handshake is done. */
  note(datagram: Buffer): void {
    everyRecord(datagram, ({ type, epoch, body }) => {
      const isOfFlight = type === contentType.handshake && epoch === 0 && repeatable.has(body[0] ?? 0);
      if (isOfFlight && this.#bodies.size < maxRecords) this.#bodies.add(body.toString('latin1'));
      return true;
    });
  }

  /** Whether a datagram that comes after the handshake holds nothing but what is encrypted or repeated. */
  allows(datagram: Buffer): boolean {
    return everyRecord(datagram, (record) => record.version === dtls12 && this.#allowsRecord(record));
  }

  #allowsRecord({ type, epoch, body }: DtlsRecord): boolean {
    if (epoch === encryptedEpoch) return encrypted.has(type) && !(type === contentType.alert && looksPlain(body));
    if (epoch !== 0) return false;
    if (type === contentType.changeCipherSpec) return body.length === 1 && body[0] === 1;
    return type === contentType.handshake && this.#bodies.has(body.toString('latin1'));
  }
}

function looksPlain(alert: Buffer): boolean {
  return alert.length < 2 || alertDescriptions.has(alert[1] ?? 0);
}

/** Whether a datagram is made of whole records and all of them pass (RFC 6347 §4.1). */
function everyRecord(datagram: Buffer, passes: (record: DtlsRecord) => boolean): boolean {
  for (let start = 0; start < datagram.length;) {
    if (start + headerBytes > datagram.length) return false;
    const [version, epoch] = [datagram.readUInt16BE(start + 1), datagram.readUInt16BE(start + 3)];
    const end = start + headerBytes + datagram.readUInt16BE(start + 11);
    if (end > datagram.length) return false;
    const body = datagram.subarray(start + headerBytes, end);
    if (!passes({ type: datagram[start] ?? 0, version, epoch, body })) return false;
    start = end;
  }
  return true;
}
