// Judges the figures of `npm run -s demo -- --json`.   node .ci/check-demo.mjs FILE
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const { calls } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
assert.deepEqual(calls.map((call) => call.direction).sort(), ['business_initiated', 'user_initiated']);

const between = (value, low, high, what) => {
  assert.equal(typeof value, 'number', `${what} is not a number`);
  assert.ok(value >= low && value <= high, `${what} is ${value}, not between ${low} and ${high}`);
};

for (const call of calls) {
  assert.equal(call.answered, true, `${call.direction} was not answered`);
  between(call.setup_ms, 1, 10_000, `${call.direction} setup_ms`);
  for (const ear of ['heard_by_pbx', 'heard_by_phone']) {
    const heard = call[ear];
    const what = `${call.direction} ${ear}`;
    assert.ok(heard, `${what} is missing`);
    between(heard.tone_hz, 300, 3400, `${what} tone_hz`);
    if (heard.played_hz !== undefined)
      between(heard.tone_hz / heard.played_hz, 0.99, 1.01, `${what} tone_hz / played_hz`);
    between(heard.level_db, -45, 0, `${what} level_db`);
    between(heard.loss, 0, 0.0199, `${what} loss`);
    between(heard.delay_ms, 0, 150, `${what} delay_ms`);
  }
  // Each side plays its own tone: the same frequency both ways would be an echo taken for speech.
  const [pbx, phone] = [call.heard_by_pbx.tone_hz, call.heard_by_phone.tone_hz];
  assert.ok(Math.abs(pbx - phone) > 20, `${call.direction}: both sides heard ${pbx} Hz, so one may have heard itself`);
}
