import { chromium, type Browser } from 'playwright-core';
import { requireProgram } from './child.js';

const program = 'chromium';

/** Nothing that it does by itself may leave the machine: no look-ups, no updates, no search for devices in the network. */
export const quietSwitches = [
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

/** Headless Chromium with a microphone that plays `wav` over and over, or beeps once a second; it asks nobody for leave. */
export async function launchBrowser(wav?: string): Promise<Browser> {
  requireProgram(program);
  return chromium.launch({
    executablePath: `/usr/bin/${program}`,
    headless: true,
    timeout: 30_000,
    args: [
      ...quietSwitches,
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      ...(wav === undefined ? [] : [`--use-file-for-fake-audio-capture=${wav}`]),
      '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
}
