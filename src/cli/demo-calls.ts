import type { Daemon } from '../daemon.js';
import { withDeadline } from '../lib/deadline.js';
import { levelDbfs } from '../sandbox/audio/measure.js';
import { judge, makeProgramme, programmeMs, type Heard } from '../sandbox/audio/programme.js';
import type { PbxCall } from '../sandbox/pbx/pbx-call.js';
import type { Pbx } from '../sandbox/pbx/pbx.js';
import type { PhoneCall } from '../sandbox/phone/phone-call.js';
import type { WhatsAppPhone } from '../sandbox/phone/phone.js';
import type { Sandbox } from '../sandbox/sandbox.js';
import { BUSINESS_NUMBER, USER_WA_ID, type PbxAddress } from './demo-config.js';
import type { DemoLog } from './demo-log.js';
import { Moments, type Moment } from './demo-moments.js';
import { watchStalls } from './demo-stalls.js';

/** Everything that takes part in the demo. */
export interface DemoParties {
  readonly sandbox: Sandbox;
  readonly daemon: Daemon;
  /** The built-in PBX; undefined with a PBX of one's own. */
  readonly pbx: Pbx | undefined;
  readonly phone: WhatsAppPhone;
  readonly ownPbx: PbxAddress | undefined;
  readonly log: DemoLog;
}

/** One call and what was heard of it. */
export interface MeasuredCall {
  readonly direction: 'user_initiated' | 'business_initiated';
  readonly answered: boolean;
  /** Milliseconds from the first signal to the answer at the side that called. */
  readonly setupMs: number | undefined;
  /** Undefined with a PBX of one's own, which cannot be listened in on. */
  readonly heardByPbx: Heard | undefined;
  /** With a PBX of one's own only the level means something: what it plays is not known. */
  readonly heardByPhone: Heard;
  readonly playedHz: { readonly byPhone: number; readonly byPbx: number };
  /** RTP that reached the phone before the answer; must be none. */
  readonly packetsBeforeAnswer: number;
  readonly echo: Heard | undefined;
  /** Longest time for which this process stood still while audio flowed, in milliseconds. */
  readonly stalledMs: number;
  readonly moments: readonly Moment[];
}

const ANSWER_DEADLINE_MS = 15_000;
const OWN_PBX_DEADLINE_MS = 30_000;
const END_DEADLINE_MS = 5000;
/** On top of a sound's length: what a loaded machine may be late. */
const SLACK_MS = 5000;
/** Heard after the last sound was sent, so that its end arrives. */
const TAIL_MS = 300;
const PHONE_HZ = 620;
const PBX_HZ = 840;
const ECHO_HZ = 1010;
const nothing: Heard = { toneHz: undefined, levelDb: -120, loss: 1, delayMs: undefined, likeness: 0 };

/** What both ends play; made before the first call, so that no call waits for it. */
const phoneSays = makeProgramme({ rateHz: 48_000, toneHz: PHONE_HZ });
const pbxSays = makeProgramme({ rateHz: 8000, toneHz: PBX_HZ });
const phoneCallsOut = makeProgramme({ rateHz: 48_000, toneHz: ECHO_HZ, toneMs: 600, leadMs: 100, withSpeech: false });

interface Ends {
  readonly phone: PhoneCall;
  readonly pbx: PbxCall | undefined;
}

/** What was heard, not yet judged: judging takes the processor for a while, so it waits until the call is over. */
interface Conversation {
  judgeAll(): Pick<MeasuredCall, 'heardByPbx' | 'heardByPhone' | 'echo' | 'stalledMs'>;
}

/** A user calls the business; the PBX answers, plays, echoes, and hangs up. */
export async function userInitiatedCall(parties: DemoParties): Promise<MeasuredCall> {
  const moments = new Moments(parties.daemon);
  try {
    const phone = await parties.phone.call();
    const deadlineMs = parties.pbx ? ANSWER_DEADLINE_MS : OWN_PBX_DEADLINE_MS;
    const pbx = await parties.pbx?.nextCall(deadlineMs);
    const answered = await isSettled(Promise.all([phone.answered, pbx?.answered]), deadlineMs);
    const talk = answered ? await converse({ phone, pbx }, true) : undefined;
    if (pbx) pbx.hangup();
    else phone.hangup();
    await ended({ phone, pbx }, moments);
    const setupMs = (phone.times.answeredAtMs ?? NaN) - phone.times.startedAtMs;
    return measured('user_initiated', phone, answered ? setupMs : undefined, talk, moments);
  } finally {
    moments.stop();
  }
}

/** The PBX calls a user; the phone rings, is picked up, and hangs up. */
export async function businessInitiatedCall(parties: DemoParties): Promise<MeasuredCall> {
  const moments = new Moments(parties.daemon);
  const sip = parties.daemon.addresses.sip[0];
  if (!parties.pbx || !sip)
    throw new Error('a business-initiated call needs the built-in PBX and the embedded SIP server');
  try {
    const to = { host: sip.host, port: sip.port };
    const pbx = await parties.pbx.call({ to, user: `+${USER_WA_ID}`, from: BUSINESS_NUMBER });
    const phone = await Promise.race([parties.phone.nextCall(ANSWER_DEADLINE_MS), refusalOf(pbx)]);
    await isSettled(pbx.ringing, ANSWER_DEADLINE_MS);
    await phone.accept();
    const answered = await isSettled(Promise.all([phone.answered, pbx.answered]), ANSWER_DEADLINE_MS);
    const talk = answered ? await converse({ phone, pbx }, false) : undefined;
    phone.hangup();
    await ended({ phone, pbx }, moments);
    const setupMs = (pbx.times.answeredAtMs ?? NaN) - pbx.times.startedAtMs;
    return measured('business_initiated', phone, answered ? setupMs : undefined, talk, moments);
  } finally {
    moments.stop();
  }
}

async function refusalOf(pbx: PbxCall): Promise<never> {
  const { status } = await pbx.ended;
  throw new Error(`the bridge refused the call from the PBX with ${status ?? 'a BYE'}`);
}

/** Both play at once, then what each heard is measured; afterwards the PBX plays back what the phone says. */
async function converse(ends: Ends, withEcho: boolean): Promise<Conversation> {
  const { phone, pbx } = ends;
  const stalls = watchStalls();
  const [fromPhone, fromPbx] = [phone.play(phoneSays.pcm), pbx?.play(pbxSays.pcm)];
  const lengthMs = Math.max(programmeMs(phoneSays), programmeMs(pbxSays));
  await isSettled(Promise.all([fromPhone.finished, fromPbx?.finished]), lengthMs + SLACK_MS);
  await isSettled(Promise.all([phone.media.hear(TAIL_MS), pbx?.rtp.hear(TAIL_MS)]), SLACK_MS);
  const stalledMs = stalls.stop();
  const [atPhone, atPbx] = [phone.media.heard(), pbx?.heard()];
  const [phoneAtMs, pbxAtMs] = [await fromPhone.started, await fromPbx?.started];
  const echo = pbx && withEcho ? await hearEcho(phone, pbx) : undefined;
  return {
    judgeAll: () => ({
      heardByPbx: atPbx ? judge(atPbx, phoneSays, phoneAtMs) : undefined,
      heardByPhone:
        pbxAtMs === undefined ? { ...nothing, levelDb: levelDbfs(atPhone), loss: 0 } : judge(atPhone, pbxSays, pbxAtMs),
      echo: echo?.(),
      stalledMs,
    }),
  };
}

/** Records the echo; it is judged later. */
async function hearEcho(phone: PhoneCall, pbx: PbxCall): Promise<() => Heard> {
  pbx.rtp.echo = true;
  const playing = phone.play(phoneCallsOut.pcm);
  const startedAtMs = await playing.started;
  await isSettled(playing.finished, programmeMs(phoneCallsOut) + SLACK_MS);
  await isSettled(phone.media.hear(TAIL_MS), SLACK_MS);
  pbx.rtp.echo = false;
  const whole = phone.media.heard();
  const from = Math.max(0, Math.round(((startedAtMs - whole.startMs) / 1000) * whole.rateHz));
  const part = {
    ...whole,
    samples: whole.samples.subarray(from),
    startMs: whole.startMs + (from / whole.rateHz) * 1000,
  };
  return () => judge(part, phoneCallsOut, startedAtMs);
}

async function ended({ phone, pbx }: Ends, moments: Moments): Promise<void> {
  moments.add('phone', 'hears the first sound', phone.media.firstHeardAtMs);
  moments.add('PBX', 'hears the first sound', pbx?.rtp.firstHeardAtMs);
  await isSettled(Promise.all([phone.ended, pbx?.ended]), END_DEADLINE_MS);
  moments.add('phone', 'call is over', phone.times.endedAtMs);
  moments.add('PBX', 'call is over', pbx?.times.endedAtMs);
  await moments.callEnded(END_DEADLINE_MS);
}

function measured(
  direction: MeasuredCall['direction'],
  phone: PhoneCall,
  setupMs: number | undefined,
  talk: Conversation | undefined,
  moments: Moments,
): MeasuredCall {
  return {
    direction,
    answered: setupMs !== undefined,
    setupMs,
    ...(talk?.judgeAll() ?? { heardByPbx: nothing, heardByPhone: nothing, echo: undefined, stalledMs: 0 }),
    playedHz: { byPhone: PHONE_HZ, byPbx: PBX_HZ },
    packetsBeforeAnswer: phone.packetsBeforeAnswer,
    moments: moments.list(),
  };
}

/** Whether `promise` came in time. */
async function isSettled(promise: Promise<unknown>, deadlineMs: number): Promise<boolean> {
  return withDeadline(promise, deadlineMs, 'demo step').then(
    () => true,
    () => false,
  );
}
