import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SrtpKey } from '../../../src/sdp/sdes.js';
import { requireProgram } from './child.js';
import type { Scene } from './scene.js';

const mostBytes = 64 * 1024 * 1024;

/** libsrtp with one key: seals or opens packets of one stream in their order. What it refuses comes out empty. See srtp-tool.c. */
export class LibSrtp {
  readonly #program: string;

  constructor(
    scene: Scene,
    private readonly key: SrtpKey,
  ) {
    this.#program = build(scene);
  }

  /** RTP and RTCP as it is, sealed as a fresh sender does it. */
  seal(packets: readonly Buffer[]): Buffer[] {
    return this.#run('protect', packets);
  }

  /** What a fresh receiver makes of sealed packets. */
  open(packets: readonly Buffer[]): Buffer[] {
    return this.#run('unprotect', packets);
  }

  #run(mode: 'protect' | 'unprotect', packets: readonly Buffer[]): Buffer[] {
    const { suite, masterKey, masterSalt } = this.key;
    const master = Buffer.concat([masterKey, masterSalt]).toString('hex');
    const input = Buffer.concat(packets.flatMap((packet) => [lengthOf(packet), packet]));
    return split(execFileSync(this.#program, [mode, suite, master], { input, maxBuffer: mostBytes }));
  }
}

function lengthOf(packet: Buffer): Buffer {
  return Buffer.of(packet.length >> 8, packet.length & 0xff);
}

function split(stream: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at + 2 <= stream.length;) {
    const end = at + 2 + stream.readUInt16BE(at);
    packets.push(stream.subarray(at + 2, end));
    at = end;
  }
  return packets;
}

/** Compiles srtp-tool.c into the scene's folder, once a scene. @throws Error when the compiler or libsrtp is missing */
function build(scene: Scene): string {
  requireProgram('cc');
  const target = scene.path('srtp-tool');
  const source = join(import.meta.dirname, 'srtp-tool.c');
  if (!existsSync(target)) execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', target, source, '-lsrtp2']);
  return target;
}
