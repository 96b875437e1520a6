import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from './measured-process.mjs';

const SOURCES = fileURLToPath(new URL('load/', import.meta.url));
const OUTPUT = fileURLToPath(new URL('../../../var/bench-media/', import.meta.url));
const LIBRARIES = ['-lsrtp2', '-lssl', '-lcrypto', '-lopus', '-lm'];
const HEADERS =
  '#include <srtp2/srtp.h>\n#include <openssl/ssl.h>\n#include <opus/opus.h>\nint main(void) { return 0; }\n';
const BUILD_PACKAGES = ['gcc', 'libc6-dev', 'libsrtp2-dev', 'libssl-dev', 'libopus-dev'];
const POLICY = '/usr/sbin/policy-rc.d';
const INSIDE = 'SIP2WA_BENCH_NAMESPACE';

const isRoot = process.getuid?.() === 0;
const has = (tool) => spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;

/** Whether this process runs in a network that the bench made for itself. */
export const isInNamespace = () => process.env[INSIDE] !== undefined;

/**
 * Runs the bench once more in a network of its own, where root may make one: no packet leaves it and no port is taken
 * there. Resolves with the exit status of that run; undefined if this one is to go on itself.
 */
export async function runInNamespace(say) {
  if (isInNamespace() || !isRoot || !has('unshare') || !has('ip')) return undefined;
  if (spawnSync('unshare', ['--net', 'true'], { stdio: 'ignore' }).status !== 0) {
    say('no network namespace can be made: runs on the loopback of this machine');
    return undefined;
  }
  const script = 'ip link set lo up && exec "$0" "$@"';
  const words = ['unshare', '--net', 'sh', '-c', script, process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, [INSIDE]: 'yes' };
  // The channel tells it when this process is gone, however that comes.
  const inner = startProcess(words, { env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  const status = await new Promise((resolve) => inner.once('exit', resolve));
  return status ?? 1;
}

/**
 * Installs what is missing when root on a Debian system.
 * @throws Error that names what is missing otherwise
 */
export function install(say) {
  const missing = [
    ...(canCompile() ? [] : BUILD_PACKAGES),
    ...(has('rtpengine') ? [] : ['rtpengine-daemon']),
    ...(has('taskset') && has('unshare') ? [] : ['util-linux']),
    ...(has('ip') ? [] : ['iproute2']),
  ];
  if (missing.length > 0 && isRoot && has('apt-get')) installPackages(missing, say);
  if (!canCompile()) throw new Error(`missing: ${BUILD_PACKAGES.join(' ')} (apt install, or run as root)`);
  if (!has('rtpengine')) say('rtpengine is not there (apt install rtpengine-daemon): its figures are left out');
}

function installPackages(names, say) {
  say(`installing ${names.join(' ')}`);
  // Debian starts what it installs; rtpengine is started here, when it is its turn.
  const isOurPolicy = !existsSync(POLICY);
  if (isOurPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const aptGet = (words) => spawnSync('apt-get', words, { env, stdio: ['ignore', process.stderr, process.stderr] });
  try {
    aptGet(['update', '-qq']);
    aptGet(['install', '-y', '-qq', '--no-install-recommends', ...names]);
  } finally {
    if (isOurPolicy) rmSync(POLICY);
  }
}

function canCompile() {
  if (!has('cc')) return false;
  const folder = mkdtempSync(join(tmpdir(), 'sip2wa-bench-'));
  const source = join(folder, 'probe.c');
  writeFileSync(source, HEADERS);
  const probe = spawnSync('cc', ['-o', join(folder, 'probe'), source, ...LIBRARIES], { stdio: 'ignore' });
  rmSync(folder, { recursive: true });
  return probe.status === 0;
}

export const hasRtpengine = () => has('rtpengine');

/** Version of rtpengine; undefined without it. */
export function rtpengineVersion() {
  const { stdout, stderr } = spawnSync('rtpengine', ['--version'], { encoding: 'utf8' });
  return /[\d.]+-?\S*/.exec(`${stdout ?? ''}${stderr ?? ''}`.replace('Version: ', ''))?.[0];
}

/** Whether the load may run at real-time priority. */
export const isUrgencyAllowed = () => spawnSync('chrt', ['-f', '10', 'true'], { stdio: 'ignore' }).status === 0;

/** Compiles the load if its sources are newer; the path of the program. */
export function compileLoad(say) {
  const binary = join(OUTPUT, 'load');
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name));
  const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary;
  say('compiling the load');
  mkdirSync(OUTPUT, { recursive: true });
  const code = sources.filter((path) => path.endsWith('.c'));
  const words = ['-O2', '-Wall', '-Wextra', '-o', binary, ...code, ...LIBRARIES];
  const { status, stderr } = spawnSync('cc', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the load does not compile:\n${stderr}`);
  return binary;
}
