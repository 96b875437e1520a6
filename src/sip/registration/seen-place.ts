import type { SrfResponse } from '../drachtio-types.js';

/** A response as it shows the way between us and a server: both ends, as the server sees ours. */
export interface SeenPlace {
  /** Transport, address and port of the server. */
  readonly server: string;
  /** Address and port that our request came from (RFC 3581 §4); undefined if the server does not say. */
  readonly us: string | undefined;
}

/** Where a response came from, and where it says its request came from. */
export function seenPlace(response: SrfResponse): SeenPlace {
  const { protocol = '', source_address: host, source_port: port = 0 } = response;
  const via = response.get('Via')?.split(',', 1)[0] ?? '';
  const rport = /;\s*rport\s*=\s*(\d{1,5})/i.exec(via)?.[1];
  const received = /;\s*received\s*=\s*([\w.:[\]]+)/i.exec(via)?.[1] ?? '';
  return { server: flowKey({ protocol, host, port }), us: rport && `${received}:${rport}` };
}

/** A connection or datagram way, by its far end. */
export interface FarEnd {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/** The same text for the same far end, however the SIP server spells its protocol and an IPv6 address. */
export function flowKey({ protocol, host, port }: FarEnd): string {
  return `${protocol.toLowerCase()} ${host.replace(/^\[|\]$/g, '').toLowerCase()} ${port}`;
}

/** Whether the same server sees us at another place than before: our NAT, or the connection, is another one. */
export function hasMoved(before: SeenPlace, now: SeenPlace): boolean {
  return before.server === now.server && before.us !== undefined && now.us !== undefined && before.us !== now.us;
}
