import { writeFileSync } from 'node:fs';
import { configJsonSchemaText } from './json-schema.js';

// Run after a build: writes config/schema.json of this package anew.
writeFileSync(new URL('../../config/schema.json', import.meta.url), configJsonSchemaText());
