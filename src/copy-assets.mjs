// Puts what the compiler leaves alone beside its compiled scripts: the pages' HTML and CSS, and modules of WebAssembly.
import { cpSync, statSync } from 'node:fs';

const copy = (folder, names) =>
  cpSync(`src/${folder}`, `dist/${folder}`, {
    recursive: true,
    filter: (path) => (statSync(path).isDirectory() ? !path.endsWith('/assembly') : names.test(path)),
  });
copy('pages', /\.(html|css|svg)$/);
copy('media', /\.wasm$/);
