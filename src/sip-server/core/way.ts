import type { Address, Flow } from '../transport/flow.js';
import type { NextHop } from '../transport/resolver.js';

/** A way out for a request, and the address it shows. */
export interface Way {
  readonly flow: Flow;
  readonly shown: Address;
  /** Where else the request can go if it fails on this way before it is answered (RFC 3263 §4.3). */
  readonly others?: readonly NextHop[];
}
