import { closeSync, openSync, writeSync } from 'node:fs';
import { parseDuration } from '../config/formats.js';
import type { CallDetailOut } from '../http/api/schemas.js';
import { AdminFault, type AdminClient, type AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { UsageError } from './named-in-config.js';
import { PcapngBlocks } from './pcapng-blocks.js';
import { plural } from './shown.js';

export interface TraceOptions extends AdminOptions {
  /** The file that is written. */
  readonly pcap?: string;
  /** How long a live call is recorded, like 30s. */
  readonly for?: string;
}

const DEFAULT_FOR_MS = 10_000;
const MAX_FOR_MS = 3_600_000;
/** The daemon is on this machine or near; it cuts off who reads nothing for half a minute. */
const SPARE_MS = 40_000;
/** Whoever may read the file hears the call. */
const FILE_MODE = 0o600;

/**
 * `sip2wa call trace --pcap`: the SIP messages of a call, and of a live one its audio from now on, until the time is up, the call
 * has ended or `stop` says so. What is in the file is whole at any moment.
 */
export const callPcapCommand = (
  id: string,
  options: TraceOptions & { readonly pcap: string },
  io: ConsoleIo,
  stop?: AbortSignal,
): Promise<number> =>
  adminCommand('call trace', options, io, async (client) => {
    const forMs = forMsOf(options);
    const { call, state } = await client.get<CallDetailOut>(`/v1/calls/${encodeURIComponent(id)}`);
    const isLive = state !== 'ended';
    if (isLive && forMs > 0 && options.json !== true)
      io.stderr(`sip2wa call trace: recording ${call} for ${forMs / 1000} s; Ctrl-C ends it sooner\n`);
    const { packets, dropped } = await record(client, call, { file: options.pcap, forMs, stop });
    const notes = [
      `sip2wa call trace: ${plural(packets, 'packet')} in ${options.pcap}`,
      ...(isLive ? [] : ['sip2wa call trace: the call is over: only its SIP messages are kept, no audio']),
      ...(dropped > 0 ? [`sip2wa call trace: ${plural(dropped, 'packet')} left out, they came too fast`] : []),
    ];
    return { json: { call, file: options.pcap, packets, dropped, audio: isLive && forMs > 0 }, text: '', notes };
  });

/** @throws UsageError */
function forMsOf({ for: written }: TraceOptions): number {
  const forMs = written === undefined ? DEFAULT_FOR_MS : parseDuration(written);
  if (forMs === undefined || forMs > MAX_FOR_MS) throw new UsageError('--for is a duration like 30s or 5m, up to 1h');
  return forMs;
}

interface RecordOptions {
  readonly file: string;
  readonly forMs: number;
  readonly stop: AbortSignal | undefined;
}

/** @throws AdminFault */
async function record(client: AdminClient, call: string, { file, forMs, stop }: RecordOptions): Promise<PcapngBlocks> {
  const blocks = new PcapngBlocks();
  const chunks = client.stream(`/v1/calls/${call}/capture`, { forMs }, { deadlineMs: forMs + SPARE_MS, stop });
  let opened: number | undefined;
  try {
    for await (const chunk of chunks) {
      opened ??= open(file);
      for (const block of blocks.take(chunk)) writeSync(opened, block);
    }
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
  return blocks;
}

/** @throws AdminFault */
function open(file: string): number {
  try {
    return openSync(file, 'w', FILE_MODE);
  } catch (error) {
    throw new AdminFault(`${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'failed'})`);
  }
}
