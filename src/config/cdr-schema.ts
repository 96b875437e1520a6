import * as formats from './formats.js';
import { filePathOrEmpty, recordsUrlOrEmpty } from './record-formats.js';

/** Keys of `cdr`. */
export const cdrSchema = {
  file: {
    default: './var/cdr.jsonl',
    doc: 'File that call records are appended to, one JSON object a line.',
    format: formats.filePath,
    env: 'SIP2WA_CDR_FILE',
  },
  csv_file: {
    default: '',
    doc: 'File that call records are appended to as comma-separated values; empty: none.',
    format: filePathOrEmpty,
    env: 'SIP2WA_CDR_CSV_FILE',
  },
  http_url: {
    default: '',
    doc: 'Where each call record is posted as JSON, with the call id as Idempotency-Key; https, plain http only for a loopback address; empty: nowhere.',
    format: recordsUrlOrEmpty,
    env: 'SIP2WA_CDR_HTTP_URL',
  },
  http_token: {
    default: '',
    doc: 'Bearer token shown where records are posted; empty: none.',
    format: formats.secretText,
    sensitive: true,
  },
  http_spool_dir: {
    default: './var/cdr-spool',
    doc: 'Directory of the records that wait to be posted; those refused for good are in its folder rejected, and sent again at the next start if they are moved back.',
    format: formats.filePath,
    env: 'SIP2WA_CDR_HTTP_SPOOL_DIR',
  },
  http_spool_max_mib: {
    default: 256,
    doc: 'Most that the spool may take up on the disk, in MiB (a record takes 4 KiB): beyond that the oldest are dropped.',
    format: formats.wholeNumber(1, 1_000_000),
  },
} as const;
