#!/bin/bash
# The tests that an ordinary run tries a reduced number of times, in full: `npm run test:counts`, about an hour.
# SIP2WA_RUNS multiplies what test/support/runs.ts has for each.
set -eu
run() {
  echo "SIP2WA_RUNS=$1 $2"
  SIP2WA_RUNS=$1 npx vitest run "$2"
}
run 50 test/component/sip-server/fuzz.test.ts      # 40,000 mutated SIP messages with calls up
run 10 test/component/sip-server/loss.test.ts      # 300 calls each way through 10 % loss
run 10 test/component/sip-server/crossing.test.ts  # CANCEL and 200 cross 500 times each way
run 100 test/component/sip/hostile-text.test.ts    # 20,000 names, numbers and texts
run 20 test/component/media/bleed.test.ts          # an attacker for a minute on each call
run 50 test/component/media-adversity/fuzz.test.ts    # 200,200 mutated packets with calls up
run 10 test/component/media-adversity/leaks.test.ts   # 1,000 calls made and ended
run 36 test/component/media-adversity/loss.test.ts    # 50 calls for three minutes through 5 % loss and 60 ms ± 20 ms
# 20 calls, a minute of each of 13 attacks, the attacker at an address of its own in a network of its own; needs root
SIP2WA_RUNS=60 bash test/support/peers/in-namespace.sh npx vitest run test/component/media-adversity/attacks.test.ts
run 6 test/unit/media/playout-delay.test.ts             # clocks that differ, an hour of each
run 20 test/unit/media/dtmf-inband.test.ts              # an hour of speech without a key
run 40 test/property/observability/record-spool.test.ts  # 12,000 sequences of crashes
run 25 test/property/observability/record-file.test.ts   # 10,000 sequences of failed writes and crashes
run 5 test/component/observability/record-kill.test.ts # 40 kills, one record of every call
run 3 test/property/routing/call-hours.test.ts      # twelve zones, two years, every minute
run 5 test/property/whatsapp/webhook-fuzz.test.ts  # 100,000 mutated webhooks
npm run build
SIP2WA_KILLS=100 npx vitest run --project crash test/crash/kill.test.ts # 100 times kill -9 under load
