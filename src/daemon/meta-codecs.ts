import type { PbxCodec, WaNumber } from '../routing/types.js';
import type { SettingsStatus } from '../whatsapp/settings/settings-watch.js';

const path = 'audio.additional_codecs';

/**
 * G.711 that Meta takes of a number: what the file has as `audio.additional_codecs`, as far as Meta is known to hold it. A number
 * that is watched and was not seen yet has none: an SDP with a codec that is not allowed is refused, and the call with it.
 *
 * @param status how the number stands at Meta; undefined if that is not looked at, and the file has to be believed
 */
export function codecsAllowed(number: WaNumber, status: SettingsStatus | undefined): PbxCodec[] {
  const wanted = (number.settings?.audio?.additional_codecs ?? []).filter(isG711);
  if (!status || status.state === 'in step') return wanted;
  if (status.state === 'unknown') return [];
  const change = status.changes.find((each) => each.path === path);
  if (!change) return wanted;
  const held: readonly unknown[] = Array.isArray(change.from) ? change.from : [];
  return wanted.filter((codec) => held.includes(codec));
}

function isG711(codec: string): codec is 'PCMA' | 'PCMU' {
  return codec === 'PCMA' || codec === 'PCMU';
}
