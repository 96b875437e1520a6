import { readFileSync } from 'node:fs';
import { MediaError } from '../media-error.js';
import { instantiateWasm } from '../wasm.js';

interface Constant {
  readonly value: number;
}

/** What `assembly/g722.ts` exports; offsets and lengths in bytes. */
interface G722Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly stateAt: Constant;
  readonly stateBytes: Constant;
  readonly octetsAt: Constant;
  readonly mostOctets: Constant;
  readonly historyAt: Constant;
  readonly samplesAt: Constant;
  begin(): void;
  encode(octets: number): void;
  encodeNarrow(octets: number): void;
  decode(octets: number): void;
  decodeNarrow(octets: number): void;
}

/** The one module of the process, with views of its memory. Nothing stays in it between calls. */
export interface G722Module {
  readonly run: G722Exports;
  /** Of the coder that is worked with. */
  readonly state: Uint8Array;
  /** As many as one call may have. */
  readonly octets: Uint8Array;
  /** To be coded. */
  readonly samples: Int16Array;
  /** That were decoded. */
  readonly decoded: Int16Array;
  /** The state that a coder begins with. */
  freshState(): Uint8Array;
}

let loaded: G722Module | undefined;

/** Compiles the module at its first use. @throws MediaError `internal` if it is not there: `npm run build` makes it. */
export function g722Module(): G722Module {
  return (loaded ??= load());
}

function load(): G722Module {
  const run = loadExports();
  const { buffer } = run.memory;
  const most = run.mostOctets.value;
  const state = new Uint8Array(buffer, run.stateAt.value, run.stateBytes.value);
  return {
    ...{ run, state },
    octets: new Uint8Array(buffer, run.octetsAt.value, most),
    samples: new Int16Array(buffer, run.samplesAt.value, 2 * most),
    decoded: new Int16Array(buffer, run.historyAt.value, 2 * most),
    freshState: () => {
      run.begin();
      return Uint8Array.from(state);
    },
  };
}

function loadExports(): G722Exports {
  try {
    return instantiateWasm(readFileSync(new URL('./g722.wasm', import.meta.url))) as G722Exports;
  } catch (cause) {
    throw new MediaError('internal', 'the G.722 module could not be loaded', { cause });
  }
}
