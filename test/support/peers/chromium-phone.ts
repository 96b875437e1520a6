import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { metaForm } from '../wrtc-peer.js';
import { launchChromium } from './chromium.js';
import type { Stoppable } from './scene.js';
import { writeWav, type Sound } from './wav.js';

/** Where its page and its media live. */
const host = '127.0.0.1';

/** Runs in the page: a connection with the microphone's track, and a recorder of what comes back. */
const setUpPage = `(async () => {
  const pc = window.pc = new RTCPeerConnection();
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  window.microphone = stream.getAudioTracks()[0];
  window.microphone.enabled = false;
  pc.addTrack(window.microphone, stream);
  window.gathered = () => pc.iceGatheringState === 'complete' ? undefined : new Promise((resolve) =>
    pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve()));
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const source = 'registerProcessor("r", class extends AudioWorkletProcessor {' +
    'process(inputs) { const c = inputs[0][0]; if (c) this.port.postMessage(c.slice()); return true; } })';
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
  const recorder = new AudioWorkletNode(context, 'r');
  window.parts = [];
  window.loudAt = 0;
  recorder.port.onmessage = ({ data }) => {
    window.parts.push(data);
    if (window.loudAt === 0 && data.some((value) => Math.abs(value) > 0.1)) window.loudAt = Date.now();
  };
  recorder.connect(context.destination);
  pc.ontrack = ({ track, streams }) => {
    const remote = streams[0] ?? new MediaStream([track]);
    // Without an element that plays it, Web Audio hears nothing of a remote stream.
    const element = window.element = new Audio();
    element.muted = true;
    element.srcObject = remote;
    element.play().catch(() => undefined);
    context.createMediaStreamSource(remote).connect(recorder);
  };
})()`;

const describe = (type: 'Offer' | 'Answer'): string =>
  `pc.create${type}().then((made) => pc.setLocalDescription(made)).then(gathered).then(() => pc.localDescription.sdp)`;

/** The browser's own WebRTC stack as the far side of a WhatsApp call: headless, with a file for a microphone. */
export class ChromiumPhone implements Stoppable {
  private constructor(
    private readonly server: Server,
    private readonly browser: Browser,
    private readonly page: Page,
  ) {}

  /** @param microphone what it says while it speaks, looped; 48 kHz. It goes to `wavFile`. */
  static async start(microphone: Sound, wavFile: string): Promise<ChromiumPhone> {
    writeWav(wavFile, microphone);
    // A microphone is for secure origins alone: http on 127.0.0.1 is one.
    const server = createServer((_, response) =>
      response.setHeader('content-type', 'text/html').end('<!doctype html>'),
    );
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const browser = await launchChromium(wavFile);
    const page = await browser.newPage();
    await page.goto(`http://${host}:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(setUpPage);
    return new ChromiumPhone(server, browser, page);
  }

  /** An offer in the form of Meta's. */
  async offer(): Promise<string> {
    return metaForm(await this.page.evaluate<string>(describe('Offer')), [host]);
  }

  /** An answer in the form of Meta's. */
  async answer(offer: string): Promise<string> {
    await this.#remote('offer', offer);
    return metaForm(await this.page.evaluate<string>(describe('Answer')), [host]);
  }

  accept(answer: string): Promise<void> {
    return this.#remote('answer', answer);
  }

  async connected(deadlineMs: number): Promise<void> {
    await this.page.waitForFunction(`pc.connectionState === 'connected'`, undefined, { timeout: deadlineMs });
  }

  /** Opens or shuts the microphone; returns when, on the wall clock. */
  speak(isSpeaking: boolean): Promise<number> {
    return this.page.evaluate<number>(`microphone.enabled = ${isSpeaking}, Date.now()`);
  }

  /** Presses keys: each so long, with so long a pause after it; returns at once. */
  async press(keys: string, durationMs: number, pauseMs: number): Promise<void> {
    await this.page.evaluate(`pc.getSenders()[0].dtmf.insertDTMF(${JSON.stringify(keys)}, ${durationMs}, ${pauseMs})`);
  }

  /** Forgets what it heard so far. */
  async listen(): Promise<void> {
    await this.page.evaluate('parts.length = 0, loudAt = 0');
  }

  /** When it heard something loud first since `listen`, on the wall clock; 0 if not yet. */
  loudAtMs(): Promise<number> {
    return this.page.evaluate<number>('loudAt');
  }

  /** What it heard since `listen`, at 48 kHz. */
  async heard(): Promise<Sound> {
    const text = await this.page.evaluate<string>(`(() => {
      const samples = Int16Array.from(parts.flatMap((part) => [...part]), (value) => Math.max(-1, Math.min(1, value)) * 32767);
      let text = '';
      new Uint8Array(samples.buffer).forEach((octet) => text += String.fromCharCode(octet));
      return btoa(text);
    })()`);
    const octets = Buffer.from(text, 'base64');
    const samples = Float64Array.from({ length: octets.length / 2 }, (_, i) => octets.readInt16LE(2 * i) / 32_768);
    return { rateHz: 48_000, samples };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }

  async #remote(type: 'offer' | 'answer', sdp: string): Promise<void> {
    await this.page.evaluate(`pc.setRemoteDescription(${JSON.stringify({ type, sdp })})`);
  }
}
