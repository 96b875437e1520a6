import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/lib/logger.js';
import { InfoKeys, parseInfoDtmf } from '../../../src/sip/dtmf-relay.js';

class Scene {
  readonly sent: (readonly [contentType: string, body: string])[] = [];
  #done: ((status: number | undefined) => void) | undefined;
  readonly keys = new InfoKeys((contentType, body, done) => {
    this.sent.push([contentType, body]);
    this.#done = done;
  }, silentLogger);

  answer(status: number | undefined): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(status);
  }
}

describe('keys told by INFO', () => {
  it('go out one after the other, each when the one before was answered, whatever the answer', () => {
    const scene = new Scene();
    scene.keys.press('5', 160.4);
    scene.keys.press('#', 250);
    scene.keys.press('D', 80);
    expect(scene.sent).toEqual([['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n']]);
    scene.answer(200);
    scene.answer(undefined);
    scene.answer(481);
    expect(scene.sent.map(([, body]) => body.split('\r\n')[0])).toEqual(['Signal=5', 'Signal=#', 'Signal=D']);
    scene.keys.press('1', 100);
    expect(scene.sent).toHaveLength(4);
  });

  it('are told again, and from then on, as application/dtmf to a PBX that knows no dtmf-relay', () => {
    const scene = new Scene();
    scene.keys.press('*', 100);
    scene.keys.press('2', 100);
    scene.answer(415);
    scene.answer(200);
    scene.answer(415);
    expect(scene.sent.slice(1)).toEqual([
      ['application/dtmf', '*'],
      ['application/dtmf', '2'],
    ]);
  });

  it('are bounded while the PBX does not answer', () => {
    const scene = new Scene();
    for (let i = 0; i < 1000; i++) scene.keys.press('1', 100);
    for (let i = 0; i < 1000; i++) scene.answer(200);
    expect(scene.sent).toHaveLength(64);
  });

  it('are read back as they were told', () => {
    const scene = new Scene();
    for (const digit of '0123456789*#ABCD') {
      scene.keys.press(digit, 120);
      const [contentType, body] = scene.sent.at(-1)!;
      expect(parseInfoDtmf(contentType, body)).toEqual({ digit, durationMs: 120 });
      scene.answer(200);
    }
  });
});
