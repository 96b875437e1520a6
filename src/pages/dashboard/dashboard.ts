/** The daemon's page: calls with both legs, trunks, numbers, failures, a call's ladder. A client of the admin API and no more. */
import { change, follow, get, onTokenNeeded } from './api.js';
import { ladder, sparkline } from './drawing.js';
import type { BusinessNumber, Call, CallDetail, Direction, Leg, Quality, Status, Trunk } from './shapes.js';
import { fill, type Cell } from './table.js';

const refreshMs = 5_000;
/** Events that come in a bunch are one reason to look. */
const bunchMs = 200;
const events = [
  ...['call_started', 'call_step', 'call_ended', 'call_quality', 'trunk_server', 'registration'],
  ...['settings', 'drain', 'reload'],
];

const part = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
};
const dialog = (id: string): HTMLDialogElement => part(id) as HTMLDialogElement;

let isLive = false;
let opened: string | undefined;
let waiting: ReturnType<typeof setTimeout> | undefined;
let isBunching = false;
let drainState: Status['drain']['state'] = 'off';

async function refresh(): Promise<void> {
  const [status, { calls }, { trunks }, { numbers }, { failures }] = await Promise.all([
    get<Status>('v1/status'),
    get<{ calls: Call[] }>('v1/calls'),
    get<{ trunks: Trunk[] }>('v1/trunks'),
    get<{ numbers: BusinessNumber[] }>('v1/numbers'),
    get<{ failures: Call[] }>('v1/failures?limit=20'),
  ]);
  showStatus(status);
  showCalls(calls);
  showTrunks(trunks);
  showNumbers(numbers);
  showFailures(failures);
  if (opened !== undefined) showCall(await get<CallDetail>(`v1/calls/${opened}`));
}

/** What goes wrong is shown until the next look that succeeds. */
function look(): void {
  clearTimeout(waiting);
  isBunching = false;
  waiting = setTimeout(look, refreshMs);
  attempt(refresh);
}

function attempt(work: () => Promise<void>): void {
  work().then(
    () => trouble(''),
    (error: unknown) => trouble(error instanceof Error ? error.message : String(error)),
  );
}

function trouble(text: string): void {
  part('trouble').textContent = text;
  part('trouble').hidden = text === '';
}

function showStatus({ version, ready, checks, drain }: Status): void {
  const failing = checks
    .filter(({ ok }) => !ok)
    .map(({ name, detail }) => (detail === undefined ? name : `${name} (${detail})`));
  const words = [ready ? 'ready' : `not ready: ${failing.join(', ')}`, ...(drain.state === 'off' ? [] : [drain.state])];
  part('status').textContent = `${version} · ${words.join(' · ')}${isLive ? '' : ' · not live'}`;
  part('status').className = ready ? 'up' : 'down';
  drainState = drain.state;
  const button = part('drain') as HTMLButtonElement;
  button.disabled = drain.state === 'stopping';
  button.textContent = drain.state === 'off' ? 'Drain' : 'Take calls again';
}

const directionWords = { user_initiated: 'from WhatsApp', business_initiated: 'to WhatsApp' } as const;

function showCalls(calls: readonly Call[]): void {
  const heads = [
    'Call',
    'Direction',
    'User',
    'Number',
    'Trunk',
    'State',
    'WhatsApp',
    'PBX',
    'Time',
    'Codecs',
    'Loss',
    'Jitter',
    'RTT',
    'MOS',
  ];
  const rows = calls.map((call) => ({
    key: call.call,
    cells: [
      openButton(call),
      text(directionWords[call.direction]),
      text(call.user),
      text(call.number),
      text(call.trunk),
      text(call.state),
      text(legOf(call, 'whatsapp')?.state),
      text(legOf(call, 'sip')?.state),
      text(clock(call.billsecMs > 0 ? call.billsecMs : call.durationMs)),
      text(both(call, ({ codec }) => codec)),
      text(both(call, ({ received }) => percent(lossOf(received)))),
      text(both(call, ({ received: { jitterMs } }) => milliseconds(jitterMs))),
      text(both(call, ({ roundTripMs }) => milliseconds(roundTripMs))),
      mosCell(call),
    ],
  }));
  fill(part('calls'), heads, rows, 'No call is up.');
}

function showTrunks(trunks: readonly Trunk[]): void {
  const rows = trunks.map(({ name, state, servers, calls, limits, codecs, srtp }) => ({
    key: name,
    cells: [
      text(name),
      { text: state, kind: state === 'unknown' ? ('unsure' as const) : state },
      text(servers.map(serverText).join(', ')),
      text(`${calls} of ${limits.calls}`),
      text(codecs.join(' ')),
      text(srtp),
    ],
  }));
  fill(
    part('trunks'),
    ['Trunk', 'State', 'Servers', 'Calls', 'Codecs', 'SRTP'],
    rows,
    'The configuration has no trunk.',
  );
}

function serverText({ server, health, registration }: Trunk['servers'][number]): string {
  if (!registration) return `${server} ${health}`;
  return `${server} ${health}, ${registration.registered ? 'registered' : `not registered${registration.why === undefined ? '' : `: ${registration.why}`}`}`;
}

function showNumbers(numbers: readonly BusinessNumber[]): void {
  const rows = numbers.map(({ name, number, calls, calling, settings, hours }) => ({
    key: name,
    cells: [
      text(name),
      text(number),
      text(String(calls)),
      text(calling),
      settingsCell(settings),
      {
        text: `${hours.open ? 'open' : 'closed'}${hours.next ? ` until ${hours.next.local}` : ''}`,
        kind: hours.open ? ('up' as const) : ('unsure' as const),
        title: hours.why,
      },
    ],
  }));
  fill(
    part('numbers'),
    ['Name', 'Number', 'Calls', 'Calling', 'Settings', 'Hours'],
    rows,
    'The configuration has no number.',
  );
}

function settingsCell({ state, differing }: BusinessNumber['settings']): Cell {
  if (state !== 'differs') return { text: state, ...(state === 'in step' ? { kind: 'up' as const } : {}) };
  return { text: `drifted: ${differing.map(({ path }) => path).join(', ')}`, kind: 'down' };
}

function showFailures(failures: readonly Call[]): void {
  const rows = failures.map((call) => ({
    key: call.call,
    cells: [
      openButton(call),
      text(new Date(call.start).toLocaleTimeString([], { hour12: false })),
      text(directionWords[call.direction]),
      text(call.user),
      text(call.trunk),
      { text: call.outcome?.code ?? '', kind: 'down' as const, title: call.outcome?.text ?? '' },
      text(String(call.outcome?.sipStatus ?? '')),
      text(call.outcome?.endedBy),
    ],
  }));
  fill(
    part('failures'),
    ['Call', 'At', 'Direction', 'User', 'Trunk', 'Cause', 'SIP', 'By'],
    rows,
    'None since the start.',
  );
}

function openButton({ call }: Call): Cell {
  return {
    text: call.slice(-8),
    title: call,
    press: () => {
      opened = call;
      attempt(async () => {
        showCall(await get<CallDetail>(`v1/calls/${call}`));
        if (!dialog('call').open) dialog('call').showModal();
      });
    },
  };
}

function showCall(call: CallDetail): void {
  part('call-title').textContent = `Call ${call.call}`;
  part('hangup').hidden = call.state === 'ended' || call.state === 'ending';
  const wa = legOf(call, 'whatsapp');
  const sip = legOf(call, 'sip');
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['State', call.outcome ? `ended: ${call.outcome.code}, by ${call.outcome.endedBy}` : call.state],
    ['Direction', directionWords[call.direction]],
    ['User', call.user],
    ['Number', call.number],
    ['Trunk', call.trunk],
    ['Started', new Date(call.start).toLocaleString([], { hour12: false })],
    ['Time', `${clock(call.durationMs)}, of it talk ${clock(call.billsecMs)}`],
    ['Codecs', both(call, ({ codec }) => codec)],
    ['MOS', both(call, ({ received: { mos } }) => mos?.toFixed(1))],
    ['Meta’s id', wa?.waCallId],
    ['Call-ID', sip?.sipCallId],
    ['PBX address', sip?.remoteAddress],
    ['SRTP', sip?.srtp],
  ];
  part('facts').replaceChildren(...facts.flatMap(([name, value]) => factOf(name, value)));
  const { samples } = call;
  const charts = [
    sparkline(
      'Loss',
      samples,
      ({ loss }) => loss * 100,
      [0, 5],
      (value) => `${value.toFixed(1)} %`,
    ),
    sparkline(
      'Jitter',
      samples,
      ({ jitterMs }) => jitterMs,
      [0, 30],
      (value) => `${value.toFixed(0)} ms`,
    ),
    sparkline(
      'MOS',
      samples,
      ({ mos }) => mos,
      [1, 4.5],
      (value) => value.toFixed(1),
    ),
    sparkline(
      'Level',
      samples,
      ({ levelDbfs }) => (levelDbfs === undefined ? undefined : Math.max(-60, levelDbfs)),
      [-60, 0],
      (value) => `${value.toFixed(0)} dBFS`,
    ),
  ];
  part('charts').replaceChildren(...charts.filter((each) => each !== undefined));
  part('ladder').replaceChildren(ladder(call.timeline));
}

function factOf(name: string, value: string | undefined): HTMLElement[] {
  if (value === undefined || value === '') return [];
  const term = document.createElement('dt');
  const what = document.createElement('dd');
  term.textContent = name;
  what.textContent = value;
  return [term, what];
}

const legOf = ({ legs: { a, b } }: Call, kind: Leg['kind']): Leg | undefined =>
  [a, b].find((leg) => leg?.kind === kind);
const text = (words: string | undefined): Cell => ({ text: words ?? '' });
const milliseconds = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : `${value.toFixed(0)} ms`;
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;

const lossOf = ({ packets, lost = 0 }: Direction): number =>
  packets + lost <= 0 ? 0 : Math.max(0, lost) / (packets + Math.max(0, lost));

/** Of the WhatsApp side and the PBX side. */
function both({ quality: { whatsapp, pbx } }: Call, figure: (quality: Quality) => string | undefined): string {
  const figures = [whatsapp, pbx].map((quality) => (quality ? figure(quality) : undefined) ?? '–');
  return figures.every((each) => each === '–') ? '' : figures.join(' / ');
}

function mosCell(call: Call): Cell {
  const { whatsapp, pbx } = call.quality;
  const lowest = Math.min(whatsapp?.received.mos ?? 5, pbx?.received.mos ?? 5);
  const kind = lowest > 4.5 ? undefined : lowest >= 3.6 ? 'up' : lowest >= 3.1 ? 'unsure' : 'down';
  return { text: both(call, ({ received: { mos } }) => mos?.toFixed(1)), ...(kind && { kind }) };
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Asks before anything is done that calls feel. */
function confirmed(question: string, yes: string, act: () => Promise<void>): void {
  part('question').textContent = question;
  part('yes').textContent = yes;
  part('yes').onclick = () => {
    dialog('confirm').close();
    attempt(async () => {
      await act();
      await refresh();
    });
  };
  dialog('confirm').showModal();
}

part('no').addEventListener('click', () => dialog('confirm').close());
part('close').addEventListener('click', () => dialog('call').close());
dialog('call').addEventListener('close', () => (opened = undefined));
part('hangup').addEventListener('click', () => {
  const call = opened;
  if (call === undefined) return;
  confirmed('End this call on both sides?', 'Hang up', () => change('POST', `v1/calls/${call}/hangup`, {}));
});
part('drain').addEventListener('click', () => {
  if (drainState !== 'off') return attempt(() => change('DELETE', 'v1/drain').then(refresh));
  confirmed('Take no new calls? Calls that are up go on.', 'Drain', () => change('POST', 'v1/drain', {}));
});
onTokenNeeded(
  () =>
    new Promise((resolve) => {
      const ask = dialog('ask-token');
      const given = part('token') as HTMLInputElement;
      if (!ask.open) ask.showModal();
      ask.addEventListener('close', () => resolve(given.value), { once: true });
    }),
);
void follow(
  events,
  () => {
    if (isBunching) return;
    isBunching = true;
    clearTimeout(waiting);
    waiting = setTimeout(look, bunchMs);
  },
  (is) => {
    isLive = is;
    look();
  },
);
