/** Calls must be answered this fast, 99 of 100: well before a caller would repeat its INVITE. */
export const MOST_P99_MS = 200;
const STEP_UP = 1.25;
const STEP_DOWN = 0.8;
const CLOSE_ENOUGH = 1.04;
/** What is borne for seconds is too much for longer: memory that ended calls keep for 32 s is collected in longer pauses. */
const CONFIRM_FROM = 0.7;
const CONFIRM_DOWN = 0.75;
const CONFIRMATIONS = 4;
const LEAST_RATE = 10;

const holds = (outcome) =>
  outcome.failed === 0 && outcome.answerMs.p99 <= MOST_P99_MS && outcome.perSecond >= 0.97 * outcome.wanted;

/**
 * Looks for the highest rate at which no call fails and answers stay fast: up or down by steps, then by halves, and at
 * last for longer at the rate found, or less. Returns all that was tried and the load that was borne, if one was.
 */
export async function findCapacity(subject, plan, startRate) {
  const tried = [];
  const attempt = async (perSecond, seconds, isTrial) => {
    const outcome = { wanted: perSecond, ...(await subject.load({ perSecond, seconds, isTrial })) };
    const isHeld = holds(outcome);
    tried.push({ ...outcome, seconds, isHeld });
    return isHeld ? outcome : undefined;
  };
  let good = 0;
  let bad = Infinity;
  const isLate = () => performance.now() > plan.searchUntilSeconds * 1000;
  for (let rate = startRate, step = 0; step < plan.searchSteps && !isLate(); step++) {
    if (await attempt(rate, plan.searchSeconds, true)) good = rate;
    else bad = rate;
    if (good > 0 && bad / good < CLOSE_ENOUGH) break;
    rate = Math.round(next(good, bad));
    if (rate < LEAST_RATE) break;
  }
  const first = Math.round(good * CONFIRM_FROM);
  for (let rate = first, n = 0; n < CONFIRMATIONS && rate >= LEAST_RATE; n++, rate = Math.round(rate * CONFIRM_DOWN)) {
    const borne = await attempt(rate, plan.confirmSeconds, true);
    if (borne) return { tried, borne };
  }
  return { tried, borne: undefined };
}

function next(good, bad) {
  if (bad === Infinity) return good * STEP_UP;
  return good === 0 ? bad * STEP_DOWN : (good + bad) / 2;
}
