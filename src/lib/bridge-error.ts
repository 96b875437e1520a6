/** Base of the errors an operator may meet. `code` is stable and starts with `SIP2WA_`. */
export class BridgeError extends Error {
  constructor(
    readonly code: `SIP2WA_${string}`,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Something from outside is unusable: a message, an SDP, a field. Names the place and what is wrong with it. */
export class BadInputError extends BridgeError {}
