import type { CallDetailOut } from '../http/api/schemas.js';
import { AdminFault, type AdminClient, type AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import { callText, whoseCall } from './call-report.js';
import { ladderText } from './call-ladder.js';
import { callPcapCommand, type TraceOptions } from './call-trace-pcap.js';
import type { ConsoleIo } from './console-io.js';
import { UsageError } from './named-in-config.js';
import type { Confirm } from './settings.js';

const callNamed = (client: AdminClient, id: string): Promise<CallDetailOut> =>
  client.get(`/v1/calls/${encodeURIComponent(id)}`);

/** `sip2wa call show`: all that is known of a call. */
export const callShowCommand = (id: string, options: AdminOptions, io: ConsoleIo): Promise<number> =>
  adminCommand('call show', options, io, async (client) => {
    const call = await callNamed(client, id);
    return { json: { call }, text: callText(call) };
  });

/** `sip2wa call trace`: its ladder across both worlds, or a file for Wireshark. */
export function callTraceCommand(
  id: string,
  options: TraceOptions,
  io: ConsoleIo,
  stop?: AbortSignal,
): Promise<number> {
  const { pcap } = options;
  if (pcap !== undefined) return callPcapCommand(id, { ...options, pcap }, io, stop);
  return adminCommand('call trace', options, io, async (client) => {
    if (options.for !== undefined) throw new UsageError('--for goes with --pcap');
    const { call, timeline } = await callNamed(client, id);
    return { json: { call, timeline }, text: ladderText(call, timeline) };
  });
}

export interface HangupOptions extends AdminOptions {
  readonly yes?: boolean;
}

/** `sip2wa call hangup`: ends a call on both sides, once whoever sits at the terminal has said so. */
export const callHangupCommand = (
  id: string,
  options: HangupOptions,
  io: ConsoleIo,
  confirm?: Confirm,
): Promise<number> =>
  adminCommand('call hangup', options, io, async (client) => {
    const found = await callNamed(client, id);
    const { call } = found;
    const isAsked = confirm !== undefined && options.yes !== true && found.state !== 'ended';
    if (isAsked && !(await confirm(`End ${whoseCall(found)} on both sides?`))) throw new AdminFault('the call goes on');
    await client.send('POST', `/v1/calls/${call}/hangup`, {});
    return { json: { call }, text: `${call}\n`, notes: ['sip2wa call hangup: the call is being ended on both sides'] };
  });
