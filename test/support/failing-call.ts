import { expect } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import type { CallId } from '../../src/lib/ids.js';
import type { TimelineEntry } from '../../src/observability/timeline.js';
import { PbxVoice } from './pbx-voice.js';
import type { ScriptedBridge } from './scripted-bridge.js';
import type { PeerMessage } from './sip-script-peer.js';
import { UdpRelay, type RelayRule } from './udp-relay.js';
import { until } from './until.js';
import { WrtcPeer } from './wrtc-peer.js';

const pbxHz = 1000;
const candidate = /(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 )(\d+)/;

/** The WhatsApp side of a call. */
export interface CallUser {
  /** In the form of Meta's. */
  offer(): Promise<string>;
  accept(answer: string): Promise<void>;
  close(): void;
}

/** A user's call through the whole daemon; libwebrtc is behind a path that can be cut, and each side can fall silent or be gone. */
export class FailingCall<U extends CallUser = WrtcPeer> {
  /** By the wall clock, and by the monotonic one. */
  #failedAt = { wallMs: 0, monotonicMs: 0 };

  private constructor(
    private readonly bridge: ScriptedBridge,
    readonly id: string,
    readonly user: U,
    readonly path: UdpRelay,
    readonly pbx: PbxVoice,
    private readonly invite: PeerMessage,
    private readonly call: CallId,
  ) {}

  /** Sets a call up until it is accepted at Meta; media comes up as far as the path lets it. One at a time. */
  static open(
    bridge: ScriptedBridge,
    id: string,
    rule?: RelayRule,
    edit?: (offer: string) => string,
  ): Promise<FailingCall> {
    return FailingCall.openFor(new WrtcPeer(), bridge, id, rule, edit);
  }

  static async openFor<U extends CallUser>(
    user: U,
    bridge: ScriptedBridge,
    id: string,
    rule: RelayRule = () => 1,
    edit: (offer: string) => string = (offer) => offer,
  ): Promise<FailingCall<U>> {
    const pbx = await PbxVoice.open({ codec: 'PCMA', ptimeMs: 20 });
    const known = bridge.daemon.timeline.calls.length;
    const offer = await user.offer();
    const path = await UdpRelay.to(Number(candidate.exec(offer)?.[2]), rule);
    const sdp = edit(offer.replace(candidate, `$1${path.port}`));
    expect(await bridge.deliver(bridge.userConnect(id, sdp))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 200, 'OK', { toTag: id, body: pbx.sdp });
    await bridge.pbx.request('ACK');
    const of = (action: string) =>
      bridge.graph.seen.find(({ body }) => body['action'] === action && body['call_id'] === id)?.body;
    await until(() => of('accept') !== undefined, `accept of ${id}`, 10_000);
    const call = bridge.daemon.timeline.calls[known];
    if (call === undefined) throw new Error('the daemon knows no such call');
    const { sdp: answer } = of('pre_accept')?.['session'] as { sdp: string };
    await user.accept(answer);
    return new FailingCall(bridge, id, user, path, pbx, invite, call);
  }

  /** The PBX speaks and the user is expected to: waits until packets come from both. */
  async talk(): Promise<void> {
    this.speak();
    const isHeard = (): boolean => this.#saw('media.first_from_whatsapp') && this.#saw('media.first_from_pbx');
    await until(isHeard, `audio both ways in ${this.id}`, 10_000);
  }

  /** The PBX speaks. */
  speak(): void {
    this.pbx.speak(Number(/m=audio (\d+)/.exec(this.invite.body)?.[1]), pbxHz);
  }

  /** From this moment on times are counted. */
  fails(how: () => void = () => undefined): void {
    this.#failedAt = { wallMs: Date.now(), monotonicMs: performance.now() };
    how();
  }

  /** The first step of this name, from one side if that is told, and how long after the failure it came. */
  async step(
    name: TimelineEntry['step'],
    detail: TimelineEntry['detail'],
    deadlineMs: number,
  ): Promise<{ afterMs: number; detail: TimelineEntry['detail'] }> {
    const find = () => this.#steps.find((one) => one.step === name && fits(one.detail, detail));
    await until(() => find() !== undefined, name, deadlineMs).catch((error: unknown) => {
      throw new Error(`${String(error)} in ${this.id}: ${this.told}`);
    });
    const { at, detail: all } = find()!;
    return { afterMs: at - this.#failedAt.wallMs, detail: all };
  }

  /** Both sides are told that it is over: how long after the failure each was, BYE's Reason, and the call's record. */
  async ended(deadlineMs: number): Promise<{ byeMs: number; terminateMs: number; reason: string; record: CallRecord }> {
    const { bridge, invite, id } = this;
    const isBye = (message: PeerMessage): boolean =>
      message.method === 'BYE' && message.get('Call-ID') === invite.get('Call-ID');
    const bye = await bridge.pbx.next(isBye, `BYE of ${id}: ${this.told}`, deadlineMs);
    const byeMs = bye.atMs - this.#failedAt.monotonicMs;
    bridge.pbx.reply(bye, 200, 'OK');
    const { afterMs: terminateMs } = await this.step('graph.terminate', {}, 5_000);
    await until(() => this.#record !== undefined, `record of ${id}`, 5_000);
    return { byeMs, terminateMs, reason: bye.get('Reason'), record: this.#record! };
  }

  get isUp(): boolean {
    return !this.#saw('call.ended');
  }

  /** Its steps, for the report of a failure. */
  get told(): string {
    return this.#steps
      .map(({ step, detail, sinceStartMs }) => `${sinceStartMs} ${step} ${JSON.stringify(detail)}`)
      .join('; ');
  }

  close(): void {
    this.user.close();
    this.path.close();
    this.pbx.close();
  }

  get #record(): CallRecord | undefined {
    return this.bridge.records.find(({ waCallId }) => waCallId === this.id);
  }

  get #steps(): readonly TimelineEntry[] {
    return this.bridge.daemon.timeline.stepsOf(this.call);
  }

  #saw(name: TimelineEntry['step']): boolean {
    return this.#steps.some(({ step }) => step === name);
  }
}

function fits(seen: TimelineEntry['detail'], wanted: TimelineEntry['detail']): boolean {
  return Object.entries(wanted).every(([key, value]) => seen[key] === value);
}
