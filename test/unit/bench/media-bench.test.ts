import { describe, expect, it } from 'vitest';

/** The benchmark is plain JavaScript; what its pure parts look like from here. */
interface Way {
  sent: number;
  received: number;
  marksSent: number;
  marksHeard: number;
  missing: number;
  repeated: number;
  unauthentic: number;
  sendErrors: number;
  muteLegs: number;
  p99Us: number;
}
interface Window {
  calls: number;
  cores: number;
  lateP99Us: number;
  droppedByKernel: number;
  toWhatsApp: Way;
  toPbx: Way;
}
interface Search {
  start: number;
  factor: number;
  closeEnough: number;
  most: number;
  isLate?: () => boolean;
  attempt: (calls: number) => Promise<boolean>;
}
interface Knee {
  faultOf(window: Window): string | undefined;
  isDoubtful(window: Window): boolean;
  guessFrom(window: { calls: number; cores: number }): number;
  findKnee(search: Search): Promise<number>;
}
interface Options {
  readOptions(words: readonly string[]): { json: boolean; only: string[]; plan: { name: string }; calls?: number };
}
interface Ng {
  encode(value: unknown): string;
  decode(bytes: Buffer): unknown;
}
interface Descriptions {
  metaDescription(facts: unknown): string;
  plainDescription(facts: unknown): string;
  readDescription(sdp: string, format: string): Record<string, unknown>;
}
interface Report {
  figures(measured: unknown): Record<string, unknown>;
}

const part = async <T>(name: string): Promise<T> =>
  (await import(new URL(`../../bench/media/${name}.mjs`, import.meta.url).href)) as T;
const knee = await part<Knee>('knee');
const options = await part<Options>('options');
const ng = await part<Ng>('ng');
const descriptions = await part<Descriptions>('descriptions');
const report = await part<Report>('report');

const goodWay: Way = {
  sent: 1000,
  received: 1000,
  marksSent: 0,
  marksHeard: 0,
  missing: 0,
  repeated: 0,
  unauthentic: 0,
  sendErrors: 0,
  muteLegs: 0,
  p99Us: 4999,
};

function windowOf(toPbx: Partial<Way> = {}, rest: Partial<Window> = {}): Window {
  const window = { calls: 10, cores: 0.5, lateP99Us: 100, droppedByKernel: 0, toWhatsApp: goodWay };
  return { ...window, toPbx: { ...goodWay, ...toPbx }, ...rest };
}

describe('what a window of the media benchmark says', () => {
  it('is borne with every packet there and 99 of 100 within 5 ms', () => {
    expect(knee.faultOf(windowOf())).toBeUndefined();
  });

  it.each<[string, Partial<Way>]>([
    ['loss', { received: 999 }],
    ['loss', { sent: 0, received: 0 }],
    ['loss', { marksSent: 40, marksHeard: 39 }],
    ['loss', { marksSent: 40, marksHeard: 40, received: 989 }],
    ['loss', { missing: 1 }],
    ['loss', { muteLegs: 1 }],
    ['packets', { unauthentic: 1 }],
    ['packets', { repeated: 1 }],
    ['packets', { sendErrors: 1 }],
    ['delay', { p99Us: 5000 }],
  ])('is not borne for %s: %o', (fault, way) => {
    expect(knee.faultOf(windowOf(way))).toBe(fault);
  });

  it('takes the packets of a transcoder for its own: marks tell what was lost', () => {
    expect(knee.faultOf(windowOf({ marksSent: 40, marksHeard: 40, received: 995 }))).toBeUndefined();
  });

  it('blames the load for its own lateness, before anything else', () => {
    expect(knee.faultOf(windowOf({ received: 0 }, { lateP99Us: 1000 }))).toBe('load');
  });

  it('counts datagrams that the kernel threw away', () => {
    expect(knee.faultOf(windowOf({}, { droppedByKernel: 1 }))).toBe('loss');
  });

  it('is looked at again unless the relay was hopelessly overloaded', () => {
    expect(knee.isDoubtful(windowOf({ p99Us: 8000 }))).toBe(true);
    expect(knee.isDoubtful(windowOf({ p99Us: 100_000 }))).toBe(false);
    expect(knee.isDoubtful(windowOf({}, { cores: 0.99 }))).toBe(false);
  });
});

describe('the search for the knee', () => {
  const search = async (limit: number, more: Partial<Search> = {}): Promise<{ found: number; tried: number[] }> => {
    const tried: number[] = [];
    const attempt = (calls: number): Promise<boolean> => {
      tried.push(calls);
      return Promise.resolve(calls <= limit);
    };
    const found = await knee.findKnee({ start: 100, factor: 1.25, closeEnough: 1.05, most: 2000, attempt, ...more });
    return { found, tried };
  };

  it.each([1, 7, 37, 99, 100, 101, 480, 1999, 2000, 5000])(
    'finds a limit of %i calls from below or above',
    async (limit) => {
      const { found, tried } = await search(limit);
      const most = Math.min(limit, 2000);
      expect(found).toBeLessThanOrEqual(most);
      expect((found + 1) * 1.05).toBeGreaterThan(most);
      expect(new Set(tried).size).toBe(tried.length);
      expect(tried.length).toBeLessThan(25);
    },
  );

  it('says 0 when nothing is borne', async () => {
    expect((await search(0)).found).toBe(0);
  });

  it('stops when it is late, with what it has', async () => {
    let steps = 0;
    const { found, tried } = await search(1000, { isLate: () => steps++ >= 2 });
    expect(tried).toEqual([100, 125]);
    expect(found).toBe(125);
  });

  it('guesses from CPU time where to begin', () => {
    expect(knee.guessFrom({ calls: 80, cores: 0.28 })).toBe(200);
    expect(knee.guessFrom({ calls: 1, cores: 5 })).toBe(1);
  });
});

describe('the command line of the media benchmark', () => {
  it('measures everything unless told otherwise', () => {
    const { plan, json, only } = options.readOptions([]);
    expect(plan.name).toBe('usual');
    expect(json).toBe(false);
    expect(only).toEqual(['setup', 'passthrough', 'transcode', 'g722']);
  });

  it('takes plans, kinds and a number of calls', () => {
    const { plan, json, only, calls } = options.readOptions(
      '--json --full --only g722 --only setup --calls 12'.split(' '),
    );
    expect([plan.name, json, only, calls]).toEqual(['full', true, ['g722', 'setup'], 12]);
  });

  it.each([['--fast'], ['--only', 'sip'], ['--only'], ['--calls', '0'], ['--calls', 'x'], ['--profile']])(
    'refuses %s %s and says what there is',
    (...words) => {
      expect(() => options.readOptions(words)).toThrow('npm run bench:media');
    },
  );
});

describe('the words that the media benchmark speaks', () => {
  it('reads back what it writes to rtpengine', () => {
    const question = {
      command: 'offer',
      'rtcp-mux': ['offer', 'require'],
      codec: { mask: ['all'] },
      'delete-delay': 0,
    };
    expect(ng.encode({ a: 'ü', b: [-1] })).toBe('d1:a2:ü1:bli-1eee');
    expect(ng.decode(Buffer.from(ng.encode(question)))).toEqual(question);
  });

  it('finds port, payload type and credentials in a description', () => {
    const leg = { address: '127.0.0.61', port: 4000 };
    const own = { user: 'u5er', password: 'p'.repeat(24) };
    const sdp = descriptions.metaDescription({ fingerprint: 'AA:BB', leg, own, setup: 'actpass' });
    expect(sdp).toContain('a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n');
    expect(descriptions.readDescription(sdp, 'opus/48000/2')).toEqual({
      address: '127.0.0.61',
      port: 4000,
      payloadType: 111,
      credentials: own,
    });
    const plain = descriptions.plainDescription({ leg, payloadType: 8, format: 'PCMA/8000' });
    expect(descriptions.readDescription(plain, 'PCMA/8000')).toMatchObject({ port: 4000, payloadType: 8 });
    expect(descriptions.readDescription(plain, 'opus/48000/2')).toMatchObject({ payloadType: NaN });
  });
});

describe('the figures of the media benchmark', () => {
  const windowAt = (cpuMsPer1000: number): unknown => ({
    ...windowOf(),
    cpuMsPer1000,
    toPbx: { ...goodWay, p99Us: 2000 },
  });
  const engine = (calls: number, cpu: number): unknown => ({
    knee: calls,
    tried: [],
    compared: windowAt(cpu),
    half: { toWhatsApp: { p99Us: 1000, maxUs: 9000, leastUs: 100 }, toPbx: { p99Us: 2000, maxUs: 8000, leastUs: 50 } },
    complaints: { count: 1 },
  });
  const pair = (ours: number, dgram: number, cpus: readonly [number, number, number]): unknown => ({
    ours: engine(ours, cpus[0]),
    dgram: { knee: dgram, tried: [], compared: windowAt(cpus[1]) },
    rtpengine: { compared: windowAt(cpus[2]) },
  });
  const nothing = { setUps: undefined, passthrough: [], transcode: [], g722: [], stock: [], memory: undefined };

  it('are medians of the ratios of each pair, not ratios of medians', () => {
    const passthrough = [pair(300, 600, [12, 10, 8]), pair(200, 800, [11, 10, 11]), pair(480, 600, [30, 10, 10])];
    const found = report.figures({ ...nothing, passthrough });
    expect(found).toMatchObject({
      passthrough_calls_vs_dgram: 0.5,
      passthrough_cpu_vs_dgram: 1.2,
      passthrough_cpu_vs_rtpengine: 1.5,
      passthrough_calls: 300,
      passthrough_half_load_p99_ms: 2,
      passthrough_half_load_max_ms: 9,
      transcode_calls_vs_rtpengine: null,
      setup_ms_median: null,
      complaints: 3,
    });
  });

  it('give the slowest kind of set-up as the set-up time', () => {
    const times = (...upMs: number[]): unknown => upMs.map((ms) => ({ upMs: ms, audioMs: ms + 2 }));
    const setUps = { 'openssl user-initiated': times(30, 31, 90), 'libwebrtc business-initiated': times(40, 41, 42) };
    const found = report.figures({ ...nothing, setUps });
    expect(found).toMatchObject({ setup_ms_median: 41, first_audio_ms_median: 43 });
    expect(found['setup']).toMatchObject({ openssl_user_initiated: { up_ms_median: 31, up_ms_max: 90, set_ups: 3 } });
  });

  it('weigh a call beside a process without calls', () => {
    const memory = {
      calls: 10,
      before: { rss: 50_000_000, heapUsed: 10_000_000, external: 0 },
      after: { rss: 50_000_000 + 10 * 200 * 1024, heapUsed: 10_000_000 + 10 * 1024 * 90, external: 10 * 1024 * 10 },
    };
    expect(report.figures({ ...nothing, memory })).toMatchObject({ kib_per_call: 200, heap_kib_per_call: 100 });
  });

  it('leave out the ratio to rtpengine without it, or when it bears nothing', () => {
    const transcode = [
      { ours: engine(100, 60), rtpengine: undefined },
      { ours: engine(100, 60), rtpengine: { knee: 0, tried: [] } },
    ];
    expect(report.figures({ ...nothing, transcode })).toMatchObject({
      transcode_calls: 100,
      transcode_calls_vs_rtpengine: null,
    });
  });
});
