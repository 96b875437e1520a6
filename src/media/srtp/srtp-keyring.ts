import type { SrtpSuite } from '../../routing/types.js';
import { SrtpKey } from '../../sdp/sdes.js';
import type { SrtpAgreement, SrtpLocal, SrtpPolicy } from '../../sdp/srtp-negotiation.js';

/**
 * Our keys of one leg, one a suite, made when first offered and never used for another leg. Once SRTP is agreed on the leg
 * stays secured: a later description may change key and suite, not fall back to plain RTP.
 */
export class SrtpKeyring {
  readonly #keys = new Map<SrtpSuite, SrtpKey>();
  #agreed: SrtpAgreement | undefined;

  constructor(
    private readonly policy: SrtpPolicy,
    private readonly hex: (bytes: number) => string,
  ) {}

  /** Our end for the next description: what was agreed on stays first, so that an offer changes nothing without need. */
  get local(): SrtpLocal {
    const { suites, mode } = this.policy;
    const keyOf = (suite: SrtpSuite): SrtpKey => this.#keyOf(suite);
    const agreed = this.#agreed;
    if (!agreed) return { mode, suites, protocol: mode === 'required' ? 'RTP/SAVP' : 'RTP/AVP', keyOf };
    const current = agreed.local.suite;
    const ordered = [current, ...suites.filter((suite) => suite !== current)];
    return { mode: 'required', suites: ordered, protocol: agreed.protocol, keyOf };
  }

  /** Offer and answer are done. A key that is no longer used is never used again: its counters would begin anew. */
  agree(agreement: SrtpAgreement | undefined): void {
    const former = this.#agreed?.local;
    if (former && former !== agreement?.local) this.#keys.delete(former.suite);
    this.#agreed = agreement;
  }

  #keyOf(suite: SrtpSuite): SrtpKey {
    const known = this.#keys.get(suite);
    if (known) return known;
    const key = SrtpKey.random(suite, this.hex);
    this.#keys.set(suite, key);
    return key;
  }
}
