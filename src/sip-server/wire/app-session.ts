/** An application as its calls see it. */
export interface AppSession {
  /** Is it still there? Calls of one that is not are ended. */
  readonly open: boolean;
  /** Answers the frame with this message id. */
  respond(messageId: string, tokens: readonly (string | number)[], sip?: Buffer): void;
  /** Tells of a SIP message. */
  event(tokens: readonly (string | number)[], sip: Buffer): void;
}

/** The application of calls that outlived it: gone, with the process it ran in. */
export const NO_APP: AppSession = { open: false, respond: () => undefined, event: () => undefined };
