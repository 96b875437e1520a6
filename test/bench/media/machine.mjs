import { readFileSync } from 'node:fs';
import { describeMachine as describe } from '../sip/machine.mjs';
import { rtpengineVersion } from './prepare.mjs';

const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;

/** Machine and versions, for the record. */
export function describeMachine(cores) {
  const machine = Object.fromEntries(Object.entries(describe(cores)).filter(([name]) => name !== 'drachtio_srf'));
  return { ...machine, werift: versionOf('werift'), evan_opus: versionOf('@evan/opus'), rtpengine: rtpengineVersion() };
}
