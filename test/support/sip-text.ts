/** The text of a SIP message; a body is SDP. */
export function sipText(startLine: string, headers: readonly string[], body = ''): string {
  return [
    startLine,
    ...headers,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
