/** The rehearsal phone: the browser's microphone and WebRTC for a user's WhatsApp that `sip2wa sandbox` plays. */

type Permission = 'temporary' | 'permanent' | 'no_permission';

type Told =
  | { type: 'hello'; business: string; user: string; permission: Permission; canRing: boolean }
  | { type: 'incoming' | 'answer'; call: string; sdp: string }
  | { type: 'accepted'; call: string }
  | { type: 'ended'; call: string; why: string }
  | { type: 'asked'; text: string }
  | { type: 'permission'; status: Permission }
  | { type: 'step'; at: number; from: string; text: string };

interface Call {
  id: string;
  readonly connection: RTCPeerConnection;
  readonly microphone: MediaStream;
  isTalking: boolean;
}

const permissionWords: Readonly<Record<Permission, string>> = {
  temporary: 'allowed for 7 days',
  permanent: 'always allowed',
  no_permission: 'not allowed',
};
const maxSteps = 200;
const gatherDeadlineMs = 3000;
const keyMs = 120;

const part = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
};
const speaker = part('speaker') as HTMLAudioElement;
const microphones = part('microphone') as HTMLSelectElement;
let current: Call | undefined;
let sounds: AudioContext | undefined;
let ticking: number | undefined;

/** Asks the sandbox. @throws Error with what it said */
async function ask(path: string, body: object = {}): Promise<Record<string, string>> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const reply = (await response.json().catch(() => ({}))) as Record<string, string>;
  if (!response.ok) throw new Error(reply['error'] ?? `the sandbox said ${response.status}`);
  return reply;
}

/** Runs what a click or a message started; what goes wrong is shown. */
function attempt(work: () => Promise<unknown>): void {
  trouble('');
  work().catch((error: unknown) => trouble(error instanceof Error ? error.message : String(error)));
}

function trouble(text: string): void {
  part('trouble').textContent = text;
  part('trouble').hidden = text === '';
}

/** One of the three faces of the phone. */
function show(face: 'idle' | 'incoming' | 'talking', state: string): void {
  for (const id of ['idle', 'incoming', 'talking']) part(id).hidden = id !== face;
  part('state').textContent = state;
}

async function newCall(id: string): Promise<Call> {
  const deviceId = microphones.value;
  const microphone = await navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: true, ...(deviceId === '' ? {} : { deviceId: { exact: deviceId } }) },
  });
  await listMicrophones();
  const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' });
  const call: Call = { id, connection, microphone, isTalking: false };
  // Nothing is said before the answer: WhatsApp counts a call with audio as answered.
  for (const track of microphone.getAudioTracks()) {
    track.enabled = false;
    connection.addTrack(track, microphone);
  }
  connection.ontrack = ({ streams }) => {
    speaker.srcObject = streams[0] ?? null;
    meter('heard', streams[0]);
  };
  connection.onconnectionstatechange = () => {
    if (connection.connectionState === 'failed') attempt(() => ask('call/failed', { call: call.id }));
  };
  meter('spoken', microphone);
  current = call;
  return call;
}

/** The local description once all candidates are in it. */
async function gathered(connection: RTCPeerConnection): Promise<string> {
  if (connection.iceGatheringState !== 'complete') {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, gatherDeadlineMs);
      connection.addEventListener('icegatheringstatechange', () => {
        if (connection.iceGatheringState !== 'complete') return;
        clearTimeout(timer);
        resolve();
      });
    });
  }
  return connection.localDescription?.sdp ?? '';
}

async function callBusiness(): Promise<void> {
  const call = await newCall('');
  try {
    const { sdp } = await call.connection.createOffer();
    const prepared = await ask('prepare', { sdp });
    await call.connection.setLocalDescription({ type: 'offer', sdp: prepared['sdp'] ?? '' });
    show('talking', 'Calling');
    call.id = (await ask('calls', { sdp: await gathered(call.connection) }))['call'] ?? '';
  } catch (error) {
    putDown(call, 'Ready');
    throw error;
  }
}

async function ring(id: string, sdp: string): Promise<void> {
  const call = await newCall(id);
  await call.connection.setRemoteDescription({ type: 'offer', sdp });
  await call.connection.setLocalDescription(await call.connection.createAnswer());
  await ask('call/answer', { call: id, sdp: await gathered(call.connection) });
  show('incoming', 'The business calls');
  part('accept').focus();
}

/** Both may talk. */
function talk(call: Call): void {
  if (call.isTalking) return;
  call.isTalking = true;
  for (const track of call.microphone.getAudioTracks()) track.enabled = true;
  part('mute').setAttribute('aria-pressed', 'false');
  show('talking', 'Talking');
  const since = Date.now();
  part('timer').hidden = false;
  clearInterval(ticking);
  ticking = window.setInterval(() => {
    const seconds = Math.floor((Date.now() - since) / 1000);
    part('timer').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }, 500);
}

function putDown(call: Call, state: string): void {
  call.connection.close();
  for (const track of call.microphone.getTracks()) track.stop();
  if (current === call) current = undefined;
  clearInterval(ticking);
  part('timer').hidden = true;
  part('timer').textContent = '0:00';
  show('idle', state);
}

function meter(id: 'spoken' | 'heard', stream: MediaStream | undefined): void {
  if (!stream) return;
  sounds ??= new AudioContext();
  const analyser = sounds.createAnalyser();
  sounds.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const bar = part(id) as HTMLMeterElement;
  const draw = (): void => {
    analyser.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    // -60 to 0 dBFS over the whole bar
    bar.value = rms === 0 ? 0 : Math.max(0, 1 + Math.log10(rms) / 3);
    if (stream.active) requestAnimationFrame(draw);
    else bar.value = 0;
  };
  draw();
}

async function listMicrophones(): Promise<void> {
  const chosen = microphones.value;
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'audioinput');
  microphones.replaceChildren(
    ...devices.map(({ deviceId, label }, place) => new Option(label || `Microphone ${place + 1}`, deviceId)),
  );
  if (devices.some(({ deviceId }) => deviceId === chosen)) microphones.value = chosen;
}

function hear(told: Told): void {
  switch (told.type) {
    case 'hello':
      part('business').textContent = told.business;
      part('ring-me').hidden = !told.canRing;
      part('permission-now').textContent = permissionWords[told.permission];
      if (!current) show('idle', `You are ${told.user}`);
      return;
    case 'incoming':
      return attempt(() => ring(told.call, told.sdp));
    case 'answer':
      return attempt(async () => {
        await current?.connection.setRemoteDescription({ type: 'answer', sdp: told.sdp });
        await ask('call/applied', { call: told.call });
      });
    case 'accepted':
      if (current) talk(current);
      return;
    case 'ended':
      if (current) putDown(current, told.why);
      return;
    case 'asked':
      part('asked').textContent = told.text;
      part('asked').hidden = false;
      return;
    case 'permission':
      part('permission-now').textContent = permissionWords[told.status];
      return;
    case 'step':
      return log(told);
  }
}

function log({ at, from, text }: { at: number; from: string; text: string }): void {
  const time = document.createElement('time');
  time.textContent = new Date(at).toLocaleTimeString([], { hour12: false });
  const who = document.createElement('b');
  who.textContent = from;
  const what = document.createElement('span');
  what.textContent = text;
  const line = document.createElement('li');
  line.append(time, who, what);
  const steps = part('steps');
  steps.prepend(line);
  while (steps.children.length > maxSteps) steps.lastChild?.remove();
  part('no-steps').hidden = true;
}

function inCall(act: (call: Call) => Promise<unknown>): () => void {
  return () => {
    const call = current;
    if (call) attempt(() => act(call));
  };
}

function makeKeys(): void {
  for (const key of '123456789*0#') {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = key;
    button.addEventListener('click', () => press(key));
    part('keys').append(button);
  }
  document.addEventListener('keydown', ({ key, target }) => {
    if (/^[0-9*#]$/.test(key) && !(target instanceof HTMLSelectElement)) press(key);
  });
}

function press(key: string): void {
  const dtmf = current?.isTalking === true ? current.connection.getSenders()[0]?.dtmf : undefined;
  // What is still to be sent would be replaced.
  dtmf?.insertDTMF(dtmf.toneBuffer + key, keyMs);
}

part('call').addEventListener('click', () => attempt(callBusiness));
part('ring-me').addEventListener('click', () => attempt(() => ask('ring-me')));
part('accept').addEventListener(
  'click',
  inCall(({ id }) => ask('call/accept', { call: id })),
);
part('decline').addEventListener(
  'click',
  inCall(({ id }) => ask('call/decline', { call: id })),
);
part('hangup').addEventListener(
  'click',
  inCall(({ id }) => ask('call/hangup', { call: id })),
);
part('mute').addEventListener('click', () => {
  const isMuted = part('mute').getAttribute('aria-pressed') !== 'true';
  part('mute').setAttribute('aria-pressed', String(isMuted));
  for (const track of current?.microphone.getAudioTracks() ?? []) track.enabled = !isMuted;
});
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-permission]')) {
  button.addEventListener('click', () =>
    attempt(async () => {
      await ask('permission', { status: button.dataset['permission'] });
      part('asked').hidden = true;
    }),
  );
}
makeKeys();
const events = new EventSource('events');
events.onmessage = ({ data }) => hear(JSON.parse(String(data)) as Told);
events.onerror = () => {
  if (current) putDown(current, 'The sandbox is gone');
  else show('idle', 'The sandbox is gone; trying again');
};
