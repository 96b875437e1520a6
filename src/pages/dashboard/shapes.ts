/** What the admin API answers, as far as the page shows it; `/v1/openapi.json` has it whole. */
import type { Sample } from './drawing.js';
import type { Step } from './rungs.js';

export interface Direction {
  readonly packets: number;
  readonly lost?: number;
  readonly jitterMs?: number;
  readonly mos?: number;
  readonly levelDbfs?: number;
}

export interface Quality {
  readonly codec: string;
  readonly received: Direction;
  readonly sent: Direction;
  readonly roundTripMs?: number;
}

export interface Leg {
  readonly kind: 'whatsapp' | 'sip';
  readonly state: string;
  readonly waCallId?: string;
  readonly sipCallId?: string;
  readonly remoteAddress?: string;
  readonly srtp?: string;
}

export interface Call {
  readonly call: string;
  readonly direction: 'user_initiated' | 'business_initiated';
  readonly state: string;
  readonly number?: string;
  readonly trunk?: string;
  readonly user?: string;
  readonly start: string;
  readonly durationMs: number;
  readonly billsecMs: number;
  readonly legs: { readonly a: Leg; readonly b?: Leg };
  readonly quality: { readonly whatsapp?: Quality; readonly pbx?: Quality };
  readonly outcome?: {
    readonly code: string;
    readonly endedBy: string;
    readonly sipStatus: number;
    readonly text?: string;
  };
}

export interface CallDetail extends Call {
  readonly timeline: readonly Step[];
  readonly samples: readonly Sample[];
}

export interface Trunk {
  readonly name: string;
  readonly state: 'up' | 'down' | 'unknown';
  readonly servers: readonly {
    readonly server: string;
    readonly health: string;
    readonly registration?: { readonly registered: boolean; readonly why?: string };
  }[];
  readonly calls: number;
  readonly limits: { readonly calls: number };
  readonly codecs: readonly string[];
  readonly srtp: string;
}

export interface BusinessNumber {
  readonly name: string;
  readonly number: string;
  readonly calls: number;
  readonly calling: string;
  readonly settings: { readonly state: string; readonly differing: readonly { readonly path: string }[] };
  readonly hours: {
    readonly open: boolean;
    readonly why: string;
    readonly next?: { readonly local: string; readonly state: string };
  };
}

export interface Status {
  readonly version: string;
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail?: string }[];
  readonly calls: number;
  readonly drain: { readonly state: 'off' | 'draining' | 'stopping' };
}
