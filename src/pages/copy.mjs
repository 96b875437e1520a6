// Puts what the compiler leaves alone, the pages' HTML and CSS, beside their compiled scripts.
import { cpSync, statSync } from 'node:fs';

const isAsset = (path) => statSync(path).isDirectory() || /\.(html|css|svg)$/.test(path);
cpSync('src/pages', 'dist/pages', { recursive: true, filter: isAsset });
