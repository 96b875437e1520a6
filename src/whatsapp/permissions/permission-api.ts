import type { Logger } from '../../lib/logger.js';
import type { UserAddress } from '../../routing/user-address.js';
import type { PermissionAnswer } from './permission-answer.js';

/** What a user is asked with: a text of ours, or a template that Meta has approved (needed outside the 24-hour window). */
export type RequestMessage =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'template'; readonly name: string; readonly language: string };

/** The message of the configuration: its template if it names one, else its text. */
export function requestMessage(configured: {
  readonly requestText: string;
  readonly requestTemplate: string | undefined;
  readonly requestLanguage: string;
}): RequestMessage {
  const { requestText, requestTemplate: name, requestLanguage: language } = configured;
  return name === undefined ? { kind: 'text', text: requestText } : { kind: 'template', name, language };
}

/** Whom a request is about. */
export interface OfUser {
  /** Meta's phone_number_id. */
  readonly numberId: string;
  readonly user: UserAddress;
  /** Carries the call that the request is made for, if there is one. */
  readonly logger?: Logger | undefined;
  /** Once aborted it is not sent any more. What is on its way is not taken back. */
  readonly signal?: AbortSignal | undefined;
}

/** Meta's permission endpoints (its page on user call permissions); each throws GraphError. */
export interface PermissionApi {
  /** `GET /<PHONE_NUMBER_ID>/call_permissions`. */
  lookUp(args: OfUser): Promise<PermissionAnswer>;
  /** `POST /<PHONE_NUMBER_ID>/messages`; returns the message's id. Not repeated: the user would be asked twice. */
  request(args: OfUser & { readonly message: RequestMessage }): Promise<string>;
}

/** The query that names a user in a look-up: a number without its plus, or a business-scoped user id. */
export function lookUpQuery(user: UserAddress): Readonly<Record<string, string>> {
  return 'number' in user ? { user_wa_id: user.number.replace(/^\+/, '') } : { recipient: user.userId };
}

/** The fields of a permission request beside the ones that name the user. No header or footer is allowed. */
export function requestFields(message: RequestMessage): Readonly<Record<string, unknown>> {
  if (message.kind === 'template') {
    const { name, language } = message;
    return { recipient_type: 'individual', type: 'template', template: { name, language: { code: language } } };
  }
  return {
    recipient_type: 'individual',
    type: 'interactive',
    interactive: {
      type: 'call_permission_request',
      action: { name: 'call_permission_request' },
      body: { text: message.text },
    },
  };
}
