import { MediaError } from './media-error.js';

/** The parts of Node's WebAssembly that are used; its types belong to the DOM library, which is not loaded here. */
interface WasmApi {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: WasmImports) => { exports: unknown };
}

export type WasmImports = Record<string, Record<string, () => void>>;

/** A function body with one SIMD instruction: valid only where the engine knows WebAssembly SIMD. */
const simdProbe = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

const wasm = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;

/** Whether the engine, and the processor below it, knows the instructions on vectors. */
export function hasSimd(): boolean {
  return wasm.validate(simdProbe);
}

/** @throws MediaError `internal` where the modules of ours cannot run. */
export function requireSimd(): void {
  if (hasSimd()) return;
  throw new MediaError(
    'internal',
    'this processor lacks instructions that audio needs (SSE4.1, or NEON): give the virtual machine the processor of its host',
  );
}

/** What a module exports, compiled now. @throws Error (of WebAssembly) if it is none or wants other imports. */
export function instantiateWasm(bytes: Uint8Array, imports: WasmImports = {}): unknown {
  return new wasm.Instance(new wasm.Module(bytes), imports).exports;
}
