import { filePath, isLoopback, type Format } from './formats.js';

/** Where call records are posted: https, or plain http on loopback; no user and no fragment. Empty: nowhere. */
export const recordsUrlOrEmpty: Format = {
  json: { type: 'string', pattern: '^(https?://.*)?$' },
  complaint: (value) => {
    if (value === '') return undefined;
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    if (!url || !isPlainWeb(url)) {
      const cure = 'write https://HOST/PATH, and the secret, if there is one, as cdr.http_token';
      return { message: 'must be a URL without user and fragment, or empty', cure };
    }
    if (url.protocol === 'https:' || isLoopback(url.hostname)) return undefined;
    return { message: 'plain http is for loopback addresses only', cure: 'write https://, records name people' };
  },
};

const isPlainWeb = ({ protocol, username, password, hash }: URL): boolean =>
  ['https:', 'http:'].includes(protocol) && [username, password, hash].every((part) => part === '');

export const filePathOrEmpty: Format = {
  json: { type: 'string' },
  complaint: (value) => (value === '' ? undefined : filePath.complaint(value)),
};
