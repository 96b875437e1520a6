import type { LossReports } from '../../src/media/expected-loss.js';
import type { MediaTrouble } from '../../src/media/media-engine.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from '../../src/media/packet-port.js';

/** A port without a network: keeps what the bridge sends, and hands the bridge what a test makes up. */
export class FakePacketPort implements PacketPort {
  audio: NegotiatedAudio | undefined;
  onAudio: ((packet: MediaPacket) => void) | undefined;
  onTelephoneEvent: ((packet: MediaPacket) => void) | undefined;
  onComfortNoise: ((packet: MediaPacket) => void) | undefined;
  fillSlot?: (() => Uint8Array) | undefined;
  heard?: number;
  quiet?: boolean;
  departed?: boolean;
  inbandDtmf?: boolean;
  /** What the watchdog said of it. */
  readonly troubles: MediaTrouble[] = [];
  sending?: boolean;
  lossReports?: LossReports;
  /** What `recall` hands over, once. */
  readonly unheard: MediaPacket[] = [];
  readonly sent: { readonly payload: Uint8Array; readonly durationMs: number }[] = [];
  readonly skipped: { readonly durationMs: number; readonly packets: number }[] = [];
  readonly digits: { readonly digit: string; readonly durationMs: number }[] = [];

  constructor(audio: NegotiatedAudio | undefined) {
    this.audio = audio;
  }

  sendAudio(payload: Uint8Array, durationMs: number): void {
    this.sent.push({ payload: Uint8Array.from(payload), durationMs });
  }

  skipAudio(durationMs: number, packets: number): void {
    this.skipped.push({ durationMs, packets });
  }

  sendDtmf(digit: string, durationMs: number): void {
    this.digits.push({ digit, durationMs });
  }

  report(trouble: MediaTrouble): void {
    this.troubles.push(trouble);
  }

  recall(): void {
    for (const packet of this.unheard.splice(0)) this.onAudio?.(packet);
  }

  /** As if a packet had come in from the network. */
  receive(sequence: number, timestamp: number, payload: Uint8Array, marker = false): void {
    this.onAudio?.({ sequence: sequence & 0xffff, timestamp: timestamp >>> 0, marker, payload });
  }

  receiveEvent(timestamp: number, code: number, duration: number, end = false, sequence = 0): void {
    const payload = Uint8Array.of(code, (end ? 0x80 : 0) | 10, duration >> 8, duration & 0xff);
    this.onTelephoneEvent?.({ sequence, timestamp, marker: false, payload });
  }
}

export const whatsAppAudio: NegotiatedAudio = { codec: 'opus', payloadType: 111, clockRate: 48_000, ptimeMs: 20 };

/** G.711 at a packet length. */
export function g711Audio(codec: 'PCMA' | 'PCMU', ptimeMs = 20): NegotiatedAudio {
  return { codec, payloadType: codec === 'PCMA' ? 8 : 0, clockRate: 8000, ptimeMs };
}
