import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/load-config.js';
import { textOf } from './repository.js';

export interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly args: Record<string, string> };
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly volumes?: readonly (string | BindMount)[];
  readonly secrets?: readonly unknown[];
  readonly stop_grace_period?: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

export interface BindMount {
  readonly type: 'bind';
  readonly source: string;
  readonly target: string;
  readonly read_only: boolean;
  readonly bind: { readonly create_host_path: boolean };
}

interface Compose {
  readonly services: Readonly<
    Record<'drachtio' | 'sip2wa' | 'prometheus' | 'grafana' | 'homer-db' | 'homer-capture' | 'homer', Service>
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets?: unknown;
  readonly configs?: unknown;
}

/** docker-compose.yml, as far as tests look at it. */
export const compose = parse(textOf('docker-compose.yml')) as Compose;
/** `SOURCE:TARGET[:ro]` of a service, in pieces. */
export const mountsOf = ({ volumes = [] }: Service): readonly string[][] =>
  volumes.filter((one) => typeof one === 'string').map((one) => one.split(':'));
export const bindsOf = ({ volumes = [] }: Service): readonly BindMount[] =>
  volumes.filter((one) => typeof one !== 'string');

/** The configuration without a file's or the environment's influence. */
export function loadDefaults() {
  const result = loadConfig({ file: 'config/default.yaml', env: {} });
  if (!result.ok) throw new Error('config/default.yaml is not valid');
  return result.config;
}
