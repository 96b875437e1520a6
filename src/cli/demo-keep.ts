import { levelDbfs } from '../sandbox/audio/measure.js';
import { speech } from '../sandbox/audio/programme.js';
import type { PhoneCall } from '../sandbox/phone/phone-call.js';
import type { DemoParties } from './demo-calls.js';
import { BUSINESS_NUMBER, USER_WA_ID } from './demo-config.js';

/** The phone rings this long before it is picked up. */
const RING_MS = 1500;
const HOUR_MS = 3_600_000;

/** Stays up until SIGINT or SIGTERM; the phone takes every call, and says what it heard when it is over. */
export async function keepUp(parties: DemoParties, say: (text: string) => void): Promise<void> {
  say(howToCall(parties));
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  let up = true;
  const phone = async (): Promise<void> => {
    while (up) {
      const call = await parties.phone.nextCall(HOUR_MS).catch(() => undefined);
      if (call && up) void takeCall(call, say);
    }
  };
  void phone();
  const alive = setInterval(() => undefined, HOUR_MS);
  await stopped;
  up = false;
  clearInterval(alive);
}

function howToCall({ daemon, sandbox, ownPbx }: DemoParties): string {
  const { sip, webhook, admin } = daemon.addresses;
  const addresses = sip.map(({ transport, host, port }) => `${transport}://${host}:${port}`).join(' ');
  const port = sip[0]?.port ?? 5060;
  const who = ownPbx ? `your PBX (${ownPbx.host})` : 'a softphone on this machine (its address must be 127.0.0.1)';
  return `
Staying up; Ctrl-C ends it.
  SIP      ${addresses}
  webhook  http://${webhook.host}:${webhook.port}/webhook
  admin    http://${admin.host}:${admin.port}
  Graph    ${sandbox.graphUrl}
To call the WhatsApp user, let ${who} dial
  sip:+${USER_WA_ID}@<this machine>:${port}     from the business number ${BUSINESS_NUMBER}
It rings for ${RING_MS} ms, is picked up, and speaks.
`;
}

async function takeCall(call: PhoneCall, say: (text: string) => void): Promise<void> {
  say('the phone rings\n');
  const timer = setTimeout(() => void call.accept(), RING_MS);
  void call.answered.then(() => call.play(speech(48_000)));
  await call.ended;
  clearTimeout(timer);
  const heard = call.media.heard();
  say(
    `the call is over; the phone heard ${levelDbfs(heard).toFixed(1)} dBFS for ${(heard.samples.length / heard.rateHz).toFixed(1)} s\n`,
  );
}
