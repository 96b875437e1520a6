// Judges the figures of `npm run -s demo -- --json`.   node .ci/check-demo.mjs FILE
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

// What the other side plays, stated here and not taken from the demo: the same tone both ways would be an echo taken for speech.
const PLAYED_HZ = { heard_by_pbx: 620, heard_by_phone: 840 };

const { calls } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
assert.deepEqual(calls.map((call) => call.direction).sort(), ['business_initiated', 'user_initiated']);

const between = (value, low, high, what) => {
  assert.equal(typeof value, 'number', `${what} is not a number`);
  assert.ok(value >= low && value <= high, `${what} is ${value}, not between ${low} and ${high}`);
};

for (const call of calls) {
  assert.equal(call.answered, true, `${call.direction} was not answered`);
  between(call.setup_ms, 1, 10_000, `${call.direction} setup_ms`);
  for (const [ear, played_hz] of Object.entries(PLAYED_HZ)) {
    const heard = call[ear];
    const what = `${call.direction} ${ear}`;
    assert.ok(heard, `${what} is missing`);
    between(heard.tone_hz, played_hz * 0.99, played_hz * 1.01, `${what} tone_hz`);
    between(heard.level_db, -45, 0, `${what} level_db`);
    between(heard.loss, 0, 0.0199, `${what} loss`);
    between(heard.delay_ms, 0, 150, `${what} delay_ms`);
  }
}
