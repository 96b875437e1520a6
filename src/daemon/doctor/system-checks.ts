import { readFileSync } from 'node:fs';
import type { CodecRegistry } from '../../media/codec-registry.js';
import { standardCodecs } from '../../media/codec-registry.js';
import { processCertificate } from '../../media/werift-certificate.js';
import type { WaNumber } from '../../routing/types.js';
import { installCure, tracingFault } from '../../observability/tracing/tracing-packages.js';
import { failed, faultText, ok, skipped, warning, type Check, type Finding } from './check.js';
import type { DoctorScope } from './doctor-scope.js';

/** What this machine and this Node must be able to do. */
export function systemChecks({ config, numbers }: DoctorScope): Check[] {
  const calls = config.trunks.reduce((sum, { maxCalls }) => sum + maxCalls, 0);
  return [
    { name: 'node', run: () => nodeCheck(process.versions.node) },
    { name: 'time zones', run: () => zonesCheck(numbers) },
    { name: 'open files', run: () => openFilesCheck(calls) },
    { name: 'opus', run: () => opusCheck() },
    { name: 'dtls', run: () => dtlsCheck() },
    ...(config.tracing ? [{ name: 'tracing packages', run: () => tracingCheck() }] : []),
  ];
}

export function tracingCheck(fault = tracingFault()): Finding {
  return fault === undefined ? ok('installed') : failed(fault, installCure());
}

const leastNode = [20, 19] as const;

export function nodeCheck(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  if (isEnough) return ok(version);
  return failed(`${version} is too old`, `install Node ${leastNode.join('.')} or later`);
}

export function zonesCheck(
  numbers: readonly Pick<WaNumber, 'callHours'>[],
  isKnown = (zone: string): boolean => Boolean(new Intl.DateTimeFormat('en', { timeZone: zone })),
): Finding {
  const zones = [...new Set(numbers.flatMap(({ callHours }) => (callHours ? [callHours.timezoneId] : [])))];
  const data = `time zone data ${process.versions['tz'] ?? 'of unknown age'}`;
  const unknown = zones.filter((zone) => {
    try {
      return !isKnown(zone);
    } catch {
      return true;
    }
  });
  if (unknown.length > 0) {
    return failed(`${data} has no ${unknown.join(', ')}`, 'use a Node with full ICU data, not older than the zone');
  }
  return ok(zones.length === 0 ? data : `${data} knows ${zones.join(', ')}`);
}

/** Of one call: two RTP and two RTCP or WebRTC sockets; and some for all else. */
const filesPerCall = 4;
const filesBesides = 200;
const leastFiles = { warning: 4096, failed: 512 };

/** Node raises its own limit to the hard one when it starts, so that this is what the daemon has when started likewise. */
export function openFilesCheck(
  maxCalls: number,
  read = (): string => readFileSync('/proc/self/limits', 'utf8'),
): Finding {
  let limit: number;
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(read())?.[1] ?? '';
    limit = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return skipped('this system does not tell its limits');
  }
  const needed = maxCalls * filesPerCall + filesBesides;
  const detail = `${limit === Number.POSITIVE_INFINITY ? 'unlimited' : limit}, ${maxCalls} calls need about ${needed}`;
  const cure = `LimitNOFILE=${Math.max(needed, 65_536)} in the systemd unit, ulimits in Docker`;
  if (limit < leastFiles.failed) return failed(detail, cure);
  return limit < Math.max(needed, leastFiles.warning) ? warning(detail, cure) : ok(detail);
}

const tone = { hz: 1000, rate: 16_000, frameSamples: 320, frames: 10, amplitude: 8000 };

/** A tone must come out as the tone that went in. */
export function opusCheck(codecs: () => CodecRegistry = standardCodecs): Finding {
  const cure = 'install again with npm ci; the codec comes with the package';
  try {
    const opus = codecs().get('opus');
    const encoder = opus.createEncoder(tone.rate, tone.frameSamples);
    const decoder = opus.createDecoder(tone.rate);
    const pcm = new Int16Array(tone.frameSamples * 6);
    let share = 0;
    for (let frame = 0; frame < tone.frames; frame++) {
      const samples = decoder.decode(encoder.encode(toneFrame(frame)), pcm);
      share = samples === tone.frameSamples ? toneShare(pcm.subarray(0, samples)) : 0;
    }
    encoder.close();
    decoder.close();
    return share > 0.9 ? ok('codes and decodes a tone') : failed('a tone does not come out as it went in', cure);
  } catch (error) {
    return failed(`it does not work: ${faultText(error)}`, cure);
  }
}

const toneFrame = (frame: number): Int16Array =>
  Int16Array.from({ length: tone.frameSamples }, (_, index) => {
    const at = frame * tone.frameSamples + index;
    return tone.amplitude * Math.sin((2 * Math.PI * tone.hz * at) / tone.rate);
  });

/** How much of the sound's power is at the tone's frequency, 0 to 1. */
function toneShare(pcm: Int16Array): number {
  let [re, im, power] = [0, 0, 0];
  for (const [index, sample] of pcm.entries()) {
    const angle = (2 * Math.PI * tone.hz * index) / tone.rate;
    re += sample * Math.cos(angle);
    im += sample * Math.sin(angle);
    power += sample * sample;
  }
  return power === 0 ? 0 : (2 * (re * re + im * im)) / (pcm.length * power);
}

export async function dtlsCheck(
  make: () => Promise<{ readonly fingerprint: string }> = processCertificate,
): Promise<Finding> {
  try {
    await make();
    return ok('makes a certificate with a SHA-256 fingerprint');
  } catch (error) {
    return failed(`no certificate can be made: ${faultText(error)}`, 'use a Node with its own OpenSSL');
  }
}
