import { readFileSync } from 'node:fs';
import { MediaError } from '../media-error.js';
import { Views } from '../views.js';
import { instantiateWasm } from '../wasm.js';
import type { SessionKeys } from './packet-transform.js';

interface Constant {
  readonly value: number;
}

/** What `assembly/srtp.ts` exports; offsets and lengths in bytes. */
interface SrtpExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly keyAt: Constant;
  readonly saltAt: Constant;
  readonly stateAt: Constant;
  readonly stateBytes: Constant;
  readonly sealAt: Constant;
  readonly openAt: Constant;
  expandKey(): void;
  keyMac(): void;
  sealRtp(bytes: number, header: number, ssrc: number, rollovers: number, sequence: number, tag: number): void;
  openRtp(bytes: number, header: number, ssrc: number, rollovers: number, sequence: number, tag: number): number;
  sealRtcp(bytes: number, header: number, ssrc: number, index: number, tag: number): void;
  openRtcp(bytes: number, header: number, ssrc: number, index: number, tag: number): number;
}

/** The one module of the process, with a view of its memory. */
export interface SrtpModule {
  readonly run: SrtpExports;
  readonly memory: Buffer;
  /** Where a packet is to be put for sealing and for opening, with room for the longest datagram. */
  readonly sealAt: number;
  readonly openAt: number;
  /** Where the state of a session is to be put before each call. */
  readonly stateAt: number;
  /** What was sealed. */
  readonly sealed: Views;
  /** What was opened. */
  readonly opened: Views;
  /** The state of a session, made once from its keys. */
  stateOf(keys: SessionKeys): Uint8Array;
}

const keyBytes = 64;
const saltBytes = 16;
let loaded: SrtpModule | undefined;

/** Compiles the module at its first use, in a millisecond: before the first call. @throws MediaError `internal` if it is not there: `npm run build` makes it. */
export function srtpModule(): SrtpModule {
  return (loaded ??= load());
}

function load(): SrtpModule {
  const run = loadExports();
  const memory = Buffer.from(run.memory.buffer);
  const [keyAt, saltAt, stateAt] = [run.keyAt.value, run.saltAt.value, run.stateAt.value];
  const [sealAt, openAt] = [run.sealAt.value, run.openAt.value];
  const putKey = (key: Buffer): void => void key.copy(memory.fill(0, keyAt, keyAt + keyBytes), keyAt);
  return {
    ...{ run, memory, stateAt, sealAt, openAt },
    ...{ sealed: new Views(memory, sealAt), opened: new Views(memory, openAt) },
    stateOf: ({ key, salt, authKey }) => {
      putKey(key);
      run.expandKey();
      salt.copy(memory.fill(0, saltAt, saltAt + saltBytes), saltAt);
      putKey(authKey);
      run.keyMac();
      putKey(Buffer.alloc(0));
      return Uint8Array.from(memory.subarray(stateAt, stateAt + run.stateBytes.value));
    },
  };
}

function loadExports(): SrtpExports {
  try {
    return instantiateWasm(readFileSync(new URL('./srtp.wasm', import.meta.url))) as SrtpExports;
  } catch (cause) {
    throw new MediaError('internal', 'the SRTP module could not be loaded', { cause });
  }
}
