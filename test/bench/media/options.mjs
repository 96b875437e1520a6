/* What one run does. The usual one is planned for eleven minutes on a quiet machine of two cores. */

const USUAL = {
  name: 'usual',
  repeats: 3,
  windowMs: 3000,
  warmUpMs: 6000,
  settleMs: 800,
  /** Within so long buffers of calls that were opened one after another have given back what their opening made them take. */
  emptiesMs: 2000,
  closeEnough: 1.1,
  /** Calls with buffers are opened one after another: a step takes longer. */
  closeEnoughBuffered: 1.13,
  memoryCalls: 150,
  setUps: 15,
  /** A search that takes longer ends with what it has: where others keep the machine busy nothing may be borne at all. */
  searchSeconds: 80,
  /** No search takes a further step and nothing new is begun later than this, seconds after the start. */
  untilSeconds: 650,
  /** What is not there by then stays away: a machine too slow or too busy for the plan. */
  endSeconds: 710,
  repeatsOfG722: 1,
  stock: false,
};

const FULL = {
  ...USUAL,
  name: 'full',
  windowMs: 5000,
  emptiesMs: 3000,
  closeEnough: 1.04,
  closeEnoughBuffered: 1.04,
  setUps: 40,
  searchSeconds: 140,
  untilSeconds: 3000,
  endSeconds: 3300,
  repeatsOfG722: 3,
  stock: true,
};

const QUICK = {
  ...USUAL,
  name: 'quick',
  repeats: 1,
  windowMs: 1500,
  warmUpMs: 1500,
  settleMs: 500,
  emptiesMs: 1500,
  closeEnough: 1.3,
  closeEnoughBuffered: 1.3,
  memoryCalls: 20,
  setUps: 5,
  searchSeconds: 20,
  untilSeconds: 150,
  endSeconds: 240,
};

const USAGE = `npm run bench:media -- [options]
  --json            one JSON object on stdout, and nothing else there
  --full            the whole table, stock werift included; about 35 minutes
  --quick           about two minutes; rough figures
  --only <mode>     passthrough, transcode, g722 or setup, and nothing else; may be repeated
  --calls <n>       calls that the relays are warmed up with (default: by kind)
  --profile <dir>   write CPU profiles of our own processes there`;

const ONLY = ['setup', 'passthrough', 'transcode', 'g722'];

/**
 * Reads the command line.
 * @throws Error on what is no option
 */
export function readOptions(words) {
  const options = { plan: USUAL, json: false, only: [], calls: undefined, profileDir: undefined };
  const rest = [...words];
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--json') options.json = true;
    else if (word === '--full') options.plan = FULL;
    else if (word === '--quick') options.plan = QUICK;
    else if (word === '--only') options.only.push(oneOf(ONLY, rest.shift()));
    else if (word === '--calls') options.calls = count(rest.shift());
    else if (word === '--profile') options.profileDir = present(rest.shift());
    else throw new Error(`unknown option ${word}\n${USAGE}`);
  }
  if (options.only.length === 0) options.only = ONLY;
  return options;
}

function oneOf(known, word) {
  if (!known.includes(word)) throw new Error(`not one of ${known.join(', ')}: ${word}\n${USAGE}`);
  return word;
}

function count(text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`not a number of calls: ${text}\n${USAGE}`);
  return value;
}

function present(text) {
  if (!text) throw new Error(`a value is missing\n${USAGE}`);
  return text;
}
