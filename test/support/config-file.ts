import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A configuration file in a folder of its own, for its owner alone to read, as the loader wants it. */
export class ConfigFile {
  readonly folder = mkdtempSync(join(tmpdir(), 'sip2wa-'));
  readonly path = join(this.folder, 'sip2wa.yaml');

  constructor(yaml = '') {
    this.write(yaml);
  }

  write(yaml: string): void {
    this.beside('sip2wa.yaml', yaml);
  }

  /** Another file in the folder; its path. */
  beside(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
