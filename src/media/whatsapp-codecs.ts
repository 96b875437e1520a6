import type { PbxCodec } from '../routing/types.js';
import type { WhatsAppCodec } from '../sdp/whatsapp-remote.js';
import type { WebRtcEndpointOptions } from './media-engine.js';

/**
 * Codecs for the WhatsApp side of a call, the best first. G.711 alone where it saves the coding: Meta takes it of this number, and
 * it is what the PBX speaks, or will as far as its trunk says. Opus is always there, as it is at Meta.
 *
 * @param agreed what is agreed on with the PBX; undefined as long as nothing is
 */
export function codecsTowardsMeta(
  { additionalCodecs = [], trunkCodecs = [] }: Pick<WebRtcEndpointOptions, 'additionalCodecs' | 'trunkCodecs'>,
  agreed: PbxCodec | undefined,
): readonly WhatsAppCodec[] {
  const spoken = agreed ?? trunkCodecs[0];
  const isShared = spoken !== undefined && additionalCodecs.includes(spoken);
  return isShared && (spoken === 'PCMA' || spoken === 'PCMU') ? [spoken, 'opus'] : ['opus'];
}
