import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type FixtureName = 'bridge' | 'bridge-next' | 'pbx' | 'other-name' | 'expired' | 'stranger';

const FOLDER = fileURLToPath(new URL('../fixtures/tls/', import.meta.url));

/** Path of a file of test/fixtures/tls. */
export const tlsFile = (name: string): string => `${FOLDER}${name}`;

/** A certificate and its key, as Node's TLS wants them. */
export const keyPair = (name: FixtureName): { readonly cert: string; readonly key: string } => ({
  cert: readFileSync(tlsFile(`${name}.pem`), 'utf8'),
  key: readFileSync(tlsFile(`${name}.key`), 'utf8'),
});

/** The authority of all but `stranger`. */
export const testAuthority = readFileSync(tlsFile('ca.pem'), 'utf8');
