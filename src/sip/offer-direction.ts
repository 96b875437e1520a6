/**
 * Whether a description puts us on hold: its first audio section is `sendonly` or `inactive` (RFC 3264 §8.4), or has the
 * null address of RFC 2543. Reads these few lines only; what the media makes of the description is the media engine's.
 */
export function holdsUs(sdp: string): boolean {
  const lines = sdp.split(/\r?\n/);
  const firstMedia = lines.findIndex((line) => line.startsWith('m='));
  const session = firstMedia < 0 ? lines : lines.slice(0, firstMedia);
  const audioStart = lines.findIndex((line) => line.startsWith('m=audio '));
  if (audioStart < 0) return false;
  const after = lines.slice(audioStart + 1);
  const nextMedia = after.findIndex((line) => line.startsWith('m='));
  const audio = nextMedia < 0 ? after : after.slice(0, nextMedia);
  const direction = directionOf(audio) ?? directionOf(session) ?? 'sendrecv';
  const connection = audio.find((line) => line.startsWith('c=')) ?? session.find((line) => line.startsWith('c='));
  return direction === 'sendonly' || direction === 'inactive' || isNull(connection);
}

function directionOf(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/.exec(line)?.[1];
    if (direction) return direction;
  }
  return undefined;
}

function isNull(connection: string | undefined): boolean {
  return connection !== undefined && /^c=IN (IP4 0\.0\.0\.0|IP6 ::)\s*$/.test(connection);
}
