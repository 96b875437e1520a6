/** One step of a call, as the admin API tells it. */
export interface Step {
  readonly step: string;
  readonly at: string;
  readonly sinceStartMs: number;
  readonly detail: Readonly<Record<string, string | number | boolean>>;
}

/** One line of a ladder: an arrow between two of the three lifelines, or a note across them. */
export type Rung =
  | { readonly lane: 'whatsapp' | 'pbx'; readonly toRight: boolean; readonly label: string; readonly isBad: boolean }
  | { readonly lane: 'both'; readonly label: string; readonly isBad: boolean };

const methods: Readonly<Record<string, string>> = {
  ...{ invite: 'INVITE', ack: 'ACK', cancel: 'CANCEL', bye: 'BYE', refer: 'REFER' },
  replaces: 'INVITE Replaces',
};
const phrases: Readonly<Record<string, string>> = {
  ...{ ringing: 'Ringing', progress: 'Session Progress', answer: 'OK', redirect: 'redirect', refused: 'refused' },
};

/** What a step looks like between WhatsApp (left), the bridge, and the PBX (right). */
export function rungOf({ step, detail }: Step): Rung {
  const [world = '', what = ''] = step.split('.', 2);
  switch (world) {
    case 'webhook':
      return { ...arrow('whatsapp', true, `webhook ${what}${said(detail['outcome'])}`), isBad: what === 'rejected' };
    case 'graph': {
      const isBad = detail['ok'] === false;
      const reply =
        detail['ok'] === true ? ` ${String(detail['tookMs'])} ms` : isBad ? ` failed: ${String(detail['code'])}` : '';
      return { ...arrow('whatsapp', false, `${what}${reply}`), isBad };
    }
    case 'sip':
      return sipRung(what, detail);
    case 'ice':
    case 'dtls':
      return arrow('whatsapp', true, `${world.toUpperCase()} ${what}`);
    case 'media':
      return mediaRung(what, detail);
    default:
      return callRung(what, detail);
  }
}

const arrow = (lane: 'whatsapp' | 'pbx', toRight: boolean, label: string): Rung => ({
  lane,
  toRight,
  label,
  isBad: false,
});
const note = (label: string, isBad = false): Rung => ({ lane: 'both', label, isBad });
const said = (value: string | number | boolean | undefined): string => (value === undefined ? '' : ` ${String(value)}`);

function sipRung(what: string, { direction, status, trunk }: Step['detail']): Rung {
  const toRight = direction !== 'in';
  const isBad = Number(status ?? 0) >= 400;
  const method = methods[what];
  if (method !== undefined) return { ...arrow('pbx', toRight, `${method}${said(status)}${said(trunk)}`), isBad };
  const label = `${said(status)} ${phrases[what] ?? what}`.trim();
  return direction === undefined ? note(`SIP ${label}`, isBad) : { ...arrow('pbx', toRight, label), isBad };
}

function mediaRung(what: string, detail: Step['detail']): Rung {
  if (what === 'first_from_whatsapp') return arrow('whatsapp', true, 'first audio');
  if (what === 'first_from_pbx') return arrow('pbx', false, 'first audio');
  if (what === 'secured') return arrow('pbx', true, `SRTP${said(detail['suite'])}`);
  return note(`media: ${what.replaceAll('_', ' ')}`, true);
}

function callRung(what: string, { to, code, by, sipStatus }: Step['detail']): Rung {
  if (what === 'state') return note(String(to));
  if (what === 'ended')
    return note(`ended: ${String(code)}, by ${String(by)}, SIP ${String(sipStatus)}`, code !== 'hangup');
  return note(what.replaceAll('_', ' '), true);
}
