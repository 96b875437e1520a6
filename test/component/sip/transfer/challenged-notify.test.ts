import { afterEach, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../../support/sip-script-peer.js';
import { sceneAuth } from '../../../support/sip-scene.js';
import { TransferScene } from './transfer-scene.js';

let at: TransferScene;
const server = { hostname: '127.0.0.1', port: 5060, transport: 'udp', priority: 1, weight: 1 } as const;

afterEach(() => at.stop());

/** Refers a call of ours, and challenges the first NOTIFY. */
async function challenged(realm: string): Promise<PeerMessage> {
  const servers = [{ ...server, requestUriUserParams: {} }];
  at = await TransferScene.start({ trunk: { servers, auth: { ...sceneAuth, realm: 'pbx.example' } } });
  at.refer();
  const notify = await at.pbx.request('NOTIFY');
  const headers = [`WWW-Authenticate: Digest realm="${realm}",nonce="n",algorithm=MD5,qop="auth"`];
  at.pbx.reply(notify, 401, 'Unauthorized', { headers, noContact: true });
  return notify;
}

describe('a NOTIFY of ours that the PBX challenges', () => {
  it('comes again with the trunk’s credentials, and the next news after it', async () => {
    const notify = await challenged('pbx.example');
    const again = await at.pbx.request('NOTIFY');
    expect(again.cseq).toBe(notify.cseq + 1);
    expect(again.get('Authorization')).toContain(`username="${sceneAuth.username}", realm="pbx.example"`);
    for (const name of ['Event', 'Subscription-State', 'Content-Type']) expect(again.get(name)).toBe(notify.get(name));
    expect(again.body).toBe(notify.body);
    at.pbx.reply(again, 200, 'OK', { noContact: true });
    await at.answered(await at.called());
    expect(await at.notice()).toBe('refer: SIP/2.0 200 OK (terminated)');
  });

  it('in a foreign realm does not: the subscription is over, the transfer goes on', async () => {
    await challenged('evil.example');
    await at.answered(await at.called());
    await at.log.saw('mediaMoved');
    expect(at.pbx.count(({ method }) => method === 'NOTIFY')).toBe(1);
    expect(at.pbx.count((it) => it.has('Authorization'))).toBe(0);
  });
});
