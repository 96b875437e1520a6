import type { Heard } from '../sandbox/audio/programme.js';
import type { MeasuredCall } from './demo-calls.js';

const TONE_TOLERANCE = 0.01;
const MAX_LOSS = 0.02;
const MAX_DELAY_MS = 150;
/** With a PBX of one's own: anything louder than this is taken for audio. */
const AUDIBLE_DB = -55;

function isHeard(heard: Heard, playedHz: number): boolean {
  const { toneHz, loss, delayMs } = heard;
  if (toneHz === undefined || delayMs === undefined) return false;
  return Math.abs(toneHz - playedHz) <= playedHz * TONE_TOLERANCE && loss < MAX_LOSS && delayMs < MAX_DELAY_MS;
}

/** Whether a call was answered and its audio came through in every direction that could be measured. */
export function carried({ answered, heardByPbx, heardByPhone, playedHz, packetsBeforeAnswer }: MeasuredCall): boolean {
  if (!answered || packetsBeforeAnswer > 0) return false;
  if (!heardByPbx) return heardByPhone.levelDb > AUDIBLE_DB;
  return isHeard(heardByPbx, playedHz.byPhone) && isHeard(heardByPhone, playedHz.byPbx);
}

export function allHeard(calls: readonly MeasuredCall[]): boolean {
  return calls.every(carried);
}

function rounded(value: number | undefined, digits: number): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toFixed(digits));
}

function heardJson(heard: Heard | undefined): object | null {
  if (!heard) return null;
  return {
    tone_hz: rounded(heard.toneHz, 2),
    level_db: rounded(heard.levelDb, 1),
    loss: rounded(heard.loss, 4),
    delay_ms: rounded(heard.delayMs, 1),
  };
}

/** What `--json` prints. */
export function jsonReport(calls: readonly MeasuredCall[]): object {
  return {
    calls: calls.map((call) => ({
      direction: call.direction,
      answered: call.answered,
      heard_by_pbx: heardJson(call.heardByPbx),
      heard_by_phone: heardJson(call.heardByPhone),
      setup_ms: rounded(call.setupMs, 1),
    })),
  };
}

function heardText(who: string, heard: Heard, playedHz: number | undefined): string {
  const { toneHz, levelDb, loss, delayMs } = heard;
  const level = `level ${levelDb.toFixed(1)} dBFS`;
  if (playedHz === undefined) return `  ${who} ${level}\n`;
  if (toneHz === undefined || delayMs === undefined) return `  ${who} NOTHING of what was played, ${level}\n`;
  const tone = `tone ${toneHz.toFixed(1)} Hz (played ${playedHz} Hz)`;
  return `  ${who} ${tone}, ${level}, loss ${(loss * 100).toFixed(1)} %, delay ${delayMs.toFixed(0)} ms\n`;
}

const TITLES = {
  user_initiated: 'A WhatsApp user calls the business',
  business_initiated: 'The PBX calls a WhatsApp user',
} as const;

/** Timeline and measurements of a call for people. */
export function textReport(call: MeasuredCall): string {
  const start = call.moments[0]?.at ?? 0;
  const lines = call.moments.map(({ at, who, what, detail }) => {
    const offset = Math.round(at - start)
      .toString()
      .padStart(7);
    return `${offset} ms  ${who.padEnd(6)}  ${what}${detail === '' ? '' : ` (${detail})`}\n`;
  });
  const setup = call.setupMs === undefined ? 'never answered' : `answered after ${call.setupMs.toFixed(0)} ms`;
  const { heardByPbx, heardByPhone, echo, playedHz } = call;
  const early =
    call.packetsBeforeAnswer > 0 ? `  ${call.packetsBeforeAnswer} packets reached the phone before the answer\n` : '';
  return [
    `${TITLES[call.direction]}: ${setup}\n`,
    ...lines,
    heardByPbx ? heardText('the PBX heard  ', heardByPbx, playedHz.byPhone) : '',
    heardText('the phone heard', heardByPhone, heardByPbx ? playedHz.byPbx : undefined),
    echo?.delayMs === undefined ? '' : `  the PBX's echo came back to the phone after ${echo.delayMs.toFixed(0)} ms\n`,
    early,
  ].join('');
}
