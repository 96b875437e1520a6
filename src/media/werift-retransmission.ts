import type { DtlsSocket } from 'werift';

/** DtlsRecord content type of handshake messages (RFC 5246 §6.2.1). */
const handshake = 22;
type Cipher = DtlsSocket['cipher'];
type DtlsRecord = Parameters<Cipher['encryptPacket']>[0];

/**
 * Gives a repeated Finished a record sequence number of its own (RFC 6347 §4.2.4). werift repeats the record as it was; if the
 * peer got the first one and only its answer was lost, it takes the repetition for a replay and stays silent: one lost packet
 * at the end of a handshake, and the call never gets audio.
 */
export function renumberFinished(socket: DtlsSocket): void {
  const { cipher, transport } = socket;
  const encrypt = cipher.encryptPacket.bind(cipher);
  const send = transport.send;
  let finished: { readonly record: DtlsRecord; readonly sent: Buffer } | undefined;
  cipher.encryptPacket = (record) => {
    const isFinished = record.recordLayerHeader.contentType === handshake;
    const plain = isFinished ? copyOf(record, record.recordLayerHeader.sequenceNumber) : undefined;
    const encrypted = encrypt(record);
    if (plain) finished = { record: plain, sent: encrypted.serialize() };
    return encrypted;
  };
  let isSent = false;
  Object.assign(transport, {
    send: (data: Buffer, ...rest: never[]) => {
      if (!finished?.sent.equals(data)) return send(data, ...rest);
      if (!isSent) {
        isSent = true;
        return send(data, ...rest);
      }
      finished.record.recordLayerHeader.sequenceNumber++;
      const { record } = finished;
      return send(encrypt(copyOf(record, record.recordLayerHeader.sequenceNumber)).serialize(), ...rest);
    },
  });
}

/** werift encrypts a record in place: each repetition starts from the plain one. */
function copyOf(record: DtlsRecord, sequenceNumber: number): DtlsRecord {
  const copy = Object.create(Object.getPrototypeOf(record) as object) as DtlsRecord;
  const recordLayerHeader = { ...record.recordLayerHeader, sequenceNumber };
  return Object.assign(copy, { recordLayerHeader, fragment: Buffer.from(record.fragment) });
}
