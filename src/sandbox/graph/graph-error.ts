/** What Meta answers when a request is refused: HTTP status, code, and the cause in `error_data.details`. */
export class GraphRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    readonly title: string,
    readonly details: string,
    readonly subcode?: number,
  ) {
    super(`(#${code}) ${title}: ${details}`);
    this.name = 'GraphRefusal';
  }

  /** The body as Meta spells it. */
  body(traceId: string): object {
    return {
      error: {
        message: `(#${this.code}) ${this.title}`,
        type: this.subcode === 33 ? 'GraphMethodException' : 'OAuthException',
        code: this.code,
        ...(this.subcode === undefined ? {} : { error_subcode: this.subcode }),
        error_data: { messaging_product: 'whatsapp', details: this.details },
        fbtrace_id: traceId,
      },
    };
  }
}

/** 100: a parameter is missing or wrong. */
export function invalidParameter(details: string, subcode?: number): GraphRefusal {
  return new GraphRefusal(400, 100, 'Invalid parameter', details, subcode);
}

/** 190: the access token is missing, wrong or has run out. */
export const invalidToken = (): GraphRefusal =>
  new GraphRefusal(401, 190, 'Invalid OAuth access token', 'Cannot parse access token');
/** 100 with subcode 33: no such number, or not this token's. */
export const unknownObject = (id: string): GraphRefusal =>
  new GraphRefusal(400, 100, 'Unsupported request', `Object with ID '${id.slice(0, 40)}' does not exist`, 33);
export const callingNotEnabled = (): GraphRefusal =>
  new GraphRefusal(401, 138000, 'Calling not enabled', 'Calling is not enabled for this business phone number');
export const receiverUncallable = (): GraphRefusal =>
  new GraphRefusal(400, 138001, 'Receiver uncallable', 'Receiver is not on WhatsApp or cannot take calls');
export const concurrentCall = (): GraphRefusal =>
  new GraphRefusal(400, 138003, 'Duplicate call', 'A call with this receiver is already ongoing');
export const noPermission = (): GraphRefusal =>
  new GraphRefusal(401, 138006, 'No approved call permission', 'No approved call permission from the recipient');
export const notAcceptedInTime = (): GraphRefusal =>
  new GraphRefusal(500, 138007, 'Connection timed out', 'SDP was not applied or accept was not called in time');
export const sipModeNumber = (): GraphRefusal =>
  new GraphRefusal(400, 131055, 'Method not allowed', 'Graph calling cannot be used: SIP is enabled for this number');
export const permissionRequestLimit = (): GraphRefusal =>
  new GraphRefusal(
    400,
    138009,
    'Call permission request limit hit',
    'Limit of permission requests for this user reached',
  );
export const unknownTemplate = (name: string): GraphRefusal =>
  new GraphRefusal(404, 132001, 'Template name does not exist', `template ${name.slice(0, 60)} does not exist`);
export const permanentPermissionExists = (): GraphRefusal =>
  new GraphRefusal(400, 138017, 'Permission exists', 'The user has granted permanent permission already');
