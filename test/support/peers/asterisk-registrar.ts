/** An account that may register at Asterisk. */
export const account = { username: 'sip2wa', password: 'registers-at-asterisk' } as const;

/**
 * The shipped trunk, but of a bridge that Asterisk does not know the address of: it has to register, with digest (MD5, the
 * only one that Asterisk 16 knows), and to prove who it is with each call.
 */
export function withRegistrar(trunk: string): string {
  const { username, password } = account;
  const registered = [
    `[${username}]`,
    'type = aor',
    'max_contacts = 1',
    'remove_existing = yes',
    'minimum_expiration = 60',
    '',
    `[${username}-auth]`,
    'type = auth',
    'auth_type = userpass',
    `username = ${username}`,
    `password = ${password}`,
    '',
    // From carries the WhatsApp user, so the account is known by its credentials.
    '[global]',
    'type = global',
    'endpoint_identifier_order = ip,username,auth_username,anonymous',
    '',
  ];
  const endpoint = trunk
    .replace(/\[sip2wa\]\ntype = aor[^[]*/, '')
    .replace(/(; [^\n]*\n)?\[sip2wa\]\ntype = identify[^[]*/, '')
    .replace('aors = sip2wa', `aors = ${username}\nauth = ${username}-auth\nidentify_by = username,auth_username`);
  return `${endpoint}\n${registered.join('\n')}`;
}
