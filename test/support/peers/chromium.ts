import { chromium, type Browser, type Page } from 'playwright-core';
import { requireProgram } from './child.js';

const program = 'chromium';

/** Nothing that it does by itself may leave the machine: no look-ups, no updates, no search for devices in the network. */
const quietSwitches = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  '--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,DialMediaRouteProvider,OptimizationHints,Translate',
];
const mediaSwitches = [
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
];

/**
 * Debian's Chromium without a window, with a file for a microphone (48 kHz WAV, looped), or a beep once a second.
 * @throws Error when it is not installed
 */
export function launchChromium(wavFile?: string): Promise<Browser> {
  requireProgram(program);
  const microphone = wavFile === undefined ? [] : [`--use-file-for-fake-audio-capture=${wavFile}`];
  const args = [...quietSwitches, ...mediaSwitches, ...microphone];
  return chromium.launch({ executablePath: `/usr/bin/${program}`, headless: true, args });
}

/** A page, and whatever goes wrong in it. */
export async function openPage(browser: Browser, url: string, faults: string[]): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await page.goto(url);
  return page;
}
