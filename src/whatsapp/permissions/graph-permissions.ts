import { z } from 'zod';
import { addressFields, type GraphClient } from '../graph-client.js';
import { permissionAnswerSchema, type PermissionAnswer } from './permission-answer.js';
import { lookUpQuery, requestFields, type OfUser, type PermissionApi, type RequestMessage } from './permission-api.js';

const ID_CAP = 256;
const sent = z.object({ messages: z.array(z.object({ id: z.string().min(1).max(ID_CAP) })).min(1) });

/** Meta's permission endpoints by the Graph client, behind everything that concerns calls that are on. */
export class GraphPermissions implements PermissionApi {
  constructor(private readonly graph: Pick<GraphClient, 'request'>) {}

  async lookUp({ numberId, user, logger, signal }: OfUser): Promise<PermissionAnswer> {
    return this.graph.request({
      ...{ lane: 'other', method: 'GET', path: `${numberId}/call_permissions`, query: lookUpQuery(user) },
      ...{ answer: permissionAnswerSchema, numberId, what: 'call_permissions', logger, signal },
    });
  }

  async request({ numberId, user, message, logger, signal }: OfUser & { message: RequestMessage }): Promise<string> {
    const body = { messaging_product: 'whatsapp', ...addressFields(user), ...requestFields(message) };
    const { messages } = await this.graph.request({
      ...{ lane: 'other', method: 'POST', path: `${numberId}/messages`, body, answer: sent },
      ...{ numberId, what: 'call_permission_request', logger, signal },
    });
    return messages[0]?.id ?? '';
  }
}
