import type { GraphClient } from '../graph-client.js';
import { GraphPermissions } from './graph-permissions.js';
import { requestMessage } from './permission-api.js';
import { PermissionGate, type PermissionGateOptions, type PermissionRules } from './permission-gate.js';

/** The section `permissions` of the configuration. */
export type ConfiguredPermissions = Omit<PermissionRules, 'message'> & Parameters<typeof requestMessage>[0];

/** Makes the gate that asks Meta by this client, as configured. */
export function createPermissionGate(
  graph: Pick<GraphClient, 'request'>,
  configured: ConfiguredPermissions,
  surroundings: Omit<PermissionGateOptions, 'api' | 'rules'>,
): PermissionGate {
  const rules = { ...configured, message: requestMessage(configured) };
  return new PermissionGate({ ...surroundings, api: new GraphPermissions(graph), rules });
}
