import { permissionAnswerSchema } from '../../src/whatsapp/permissions/permission-answer.js';
import type { PermissionApi } from '../../src/whatsapp/permissions/permission-api.js';

type Step<T> = T | Error | Promise<T>;

/** Meta's permission endpoints as a script: what each look-up and each request comes to, the last one for good. */
export class FakePermissionApi implements PermissionApi {
  readonly lookedUp: Parameters<PermissionApi['lookUp']>[0][] = [];
  readonly requested: Parameters<PermissionApi['request']>[0][] = [];
  #answers: Step<object>[] = [permissionJson('no_permission')];
  #ids: Step<string>[] = ['wamid.request'];

  /** Bodies of Meta's answers to look-ups, or what they fail with. */
  answers(...steps: Step<object>[]): void {
    this.#answers = steps;
  }

  /** Ids of the request messages, or what sending them fails with. */
  sends(...steps: Step<string>[]): void {
    this.#ids = steps;
  }

  async lookUp(args: Parameters<PermissionApi['lookUp']>[0]): ReturnType<PermissionApi['lookUp']> {
    this.lookedUp.push(args);
    return permissionAnswerSchema.parse(await next(this.#answers));
  }

  async request(args: Parameters<PermissionApi['request']>[0]): Promise<string> {
    this.requested.push(args);
    return next(this.#ids);
  }
}

async function next<T>(steps: Step<T>[]): Promise<T> {
  const step = steps.length > 1 ? steps.shift() : steps[0];
  if (step === undefined) throw new Error('nothing scripted');
  if (step instanceof Error) throw step;
  return step;
}

export interface PermissionJson {
  /** Unix seconds. */
  readonly expires?: number;
  readonly start?: boolean;
  readonly startLimits?: readonly object[];
  readonly ask?: boolean;
  readonly askLimits?: readonly object[];
}

/** An answer of call_permissions as Meta writes it; actions are there when they are given. */
export function permissionJson(
  status: string,
  { expires, start, startLimits, ask, askLimits }: PermissionJson = {},
): object {
  const action = (action_name: string, can_perform_action: boolean | undefined, limits: readonly object[] = []) =>
    can_perform_action === undefined ? [] : [{ action_name, can_perform_action, limits }];
  return {
    messaging_product: 'whatsapp',
    permission: { status, ...(expires !== undefined && { expiration_time: expires }) },
    actions: [...action('send_call_permission_request', ask, askLimits), ...action('start_call', start, startLimits)],
  };
}
