import type { Address, Flow } from '../transport/flow.js';

/** A way out for a request, and the address it shows. */
export interface Way {
  readonly flow: Flow;
  readonly shown: Address;
}
