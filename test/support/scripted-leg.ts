import type { EndReason } from '../../src/call/end-reason.js';
import type { DialledLeg, LegEvent, OriginatingLeg } from '../../src/call/leg.js';
import type { LegQuality } from '../../src/call/media-quality.js';

/** A leg that writes down its commands and says what the test makes it say. */
export class ScriptedLeg implements OriginatingLeg, DialledLeg {
  kind: 'sip' | 'whatsapp' = 'sip';
  quality: LegQuality | undefined;
  mediaId: string | undefined;
  readonly facts: Record<string, string>;
  #listener: (event: LegEvent) => void = () => undefined;

  constructor(
    private readonly name: string,
    private readonly log: string[],
  ) {
    this.mediaId = `media-${name}`;
    this.facts = { name };
  }

  listen(listener: (event: LegEvent) => void): void {
    this.#listener = listener;
  }
  say(event: LegEvent): void {
    this.#listener(event);
  }
  trying = (): void => this.#wrote('trying');
  ring = (): void => this.#wrote('ring');
  answer = (): void => this.#wrote('answer');
  dial = (): void => this.#wrote('dial');
  reject = (reason: EndReason): void => this.#wrote(`reject ${reason.code}`);
  hangup = (reason: EndReason): void => this.#wrote(`hangup ${reason.code}`);
  #wrote(what: string): void {
    this.log.push(`${this.name} ${what}`);
  }
}
