/*
 * What one run does. The whole run is planned for ten minutes, and leaves out what would take it beyond eleven on a slow machine; the
 * quick one for half a minute, with shortened SIP timers: it shows that everything works, its figures are rough.
 */

const WHOLE = {
  name: 'whole',
  /** 64·T1 is how long the server keeps an ended transaction: it is waited out after each load. */
  t1Ms: 500,
  warmUpSeconds: 10,
  pairs: 3,
  /** Three loads of this length are over 100,000 calls at the usual rate. */
  loadSeconds: 38,
  echoSeconds: 10,
  searchSeconds: 4,
  searchSteps: 9,
  confirmSeconds: 20,
  /** The search takes no further step later than this after the start of the process. */
  searchUntilSeconds: 100,
  /** No pair is begun that would, by the one before, end later than this. The first is always run. */
  pairsUntilSeconds: 640,
};

const QUICK = {
  name: 'quick',
  t1Ms: 75,
  warmUpSeconds: 1.5,
  pairs: 1,
  loadSeconds: 3,
  echoSeconds: 2,
  searchSeconds: 1.5,
  searchSteps: 4,
  confirmSeconds: 2,
  searchUntilSeconds: 25,
  pairsUntilSeconds: 60,
};

const USAGE = `npm run bench:sip -- [options]
  --json            one JSON object on stdout, and nothing else there
  --quick           about half a minute instead of ten; rough figures
  --rate <calls/s>  load at which CPU per call is measured (900)
  --profile <dir>   write CPU profiles of the measured processes there`;

/**
 * Reads the command line.
 * @throws Error on what is no option
 */
export function readOptions(words) {
  const options = { plan: WHOLE, json: false, rate: 900, profileDir: undefined };
  const rest = [...words];
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--json') options.json = true;
    else if (word === '--quick') options.plan = QUICK;
    else if (word === '--rate') options.rate = positive(rest.shift());
    else if (word === '--profile') options.profileDir = present(rest.shift());
    else throw new Error(`unknown option ${word}\n${USAGE}`);
  }
  return options;
}

function positive(text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`not a rate: ${text}\n${USAGE}`);
  return value;
}

function present(text) {
  if (!text) throw new Error(`a value is missing\n${USAGE}`);
  return text;
}
