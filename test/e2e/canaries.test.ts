import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger, type RootLogger } from '../../src/observability/logger.js';
import { boundSocket } from '../support/bound-socket.js';
import { metaError } from '../support/graph-double.js';
import { Lines } from '../support/lines.js';
import { APP_SECRET, pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const TOKEN = 'token-of-the-test';
const VERIFY_TOKEN = 'verify-of-the-test';
const PASSWORD = 'password-of-the-test';
/** Somebody else's secrets, which no configuration knows: what a stranger tried, what the PBX wrote into its SDP and headers. */
const TRIED_TOKEN = 'tried-as-verify-token';
const SDES_KEY = 'WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz';
const PBX_AUTHORIZATION = 'Digest username="pbx", realm="x", nonce="n", uri="sip:a", response="f0f1f2f3f4f5f6f7"';

/** The values of an SDP that give a session away. */
const icePasswords = (sdp: string): string[] => [...sdp.matchAll(/a=ice-pwd:(\S+)/g)].map(([, value]) => value ?? '');

const sdesKeys = (sdp: string): string[] => [...sdp.matchAll(/inline:(\S+)/g)].map(([, key]) => key ?? '');

describe('the log at its most talkative', () => {
  let log: Lines;
  let logger: RootLogger;
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let rtp: Socket;
  /** Everything secret that came up in the run, filled by the scenes. */
  let secrets: Set<string>;

  beforeEach(async () => {
    log = new Lines();
    logger = createLogger({ level: 'debug', format: 'json', stream: log });
    // what `sip2wa run` does with the secrets that the loader resolved
    logger.redact([TOKEN, APP_SECRET, VERIFY_TOKEN, PASSWORD]);
    secrets = new Set([TOKEN, APP_SECRET, VERIFY_TOKEN, PASSWORD, TRIED_TOKEN, SDES_KEY, 'f0f1f2f3f4f5f6f7']);
    phone = new WrtcPeer();
    rtp = await boundSocket();
    bridge = await ScriptedBridge.start({
      logger,
      trunk: `auth: { username: sip2wa, password: ${PASSWORD} }, srtp: optional, srtp_without_tls: true`,
    });
  });
  afterEach(async () => {
    phone.close();
    rtp.close();
    await bridge.stop();
  });

  const keepSecretsOf = (sdp: string): string => {
    for (const password of icePasswords(sdp)) secrets.add(password);
    return sdp;
  };

  /** A user calls; the PBX wants our password, answers with a key in its SDP, and hangs up. */
  const answeredCall = async (): Promise<void> => {
    expect(await bridge.deliver(bridge.userConnect('wacid.answered', keepSecretsOf(await phone.offer())))).toBe(200);
    const challenged = await bridge.pbx.request('INVITE');
    const challenge = 'Digest realm="pbx", nonce="5e11", algorithm=MD5, qop="auth"';
    const headers = [`Proxy-Authenticate: ${challenge}`];
    bridge.pbx.reply(challenged, 407, 'Proxy Authentication Required', { toTag: 'c1', headers });
    await bridge.pbx.request('ACK');
    const invite = await bridge.pbx.request('INVITE');
    const authorization = invite.get('Proxy-Authorization');
    secrets.add(/response="?([0-9a-f]{32})/.exec(authorization)?.[1] ?? 'no response in the digest');
    expect(authorization).toContain('username="sip2wa"');
    for (const key of sdesKeys(invite.body)) secrets.add(key);
    const crypto = `a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:${SDES_KEY}`;
    const body = pbxSdp(rtp.address().port, '8 101', [crypto]);
    await bridge.pbxPicksUp(invite, { body });
    const { sdp } = bridge.session();
    phone.play();
    await phone.accept(keepSecretsOf(sdp));
    await phone.reaches('connected');
    bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, 'p1', 1), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record(0)).toMatchObject({
      code: 'hangup',
      waCallId: 'wacid.answered',
      srtp: 'AES_CM_128_HMAC_SHA1_80',
    });
  };

  /** A user calls; the PBX is busy. */
  const refusedCall = async (): Promise<void> => {
    const other = new WrtcPeer();
    const offer = keepSecretsOf(await other.offer());
    expect(await bridge.deliver(bridge.userConnect('wacid.refused', offer))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'b1' });
    await bridge.pbx.request('ACK');
    expect(await bridge.record(1)).toMatchObject({ code: 'busy', waCallId: 'wacid.refused' });
    other.close();
  };

  /** The PBX calls with credentials; Meta refuses our token and repeats it. */
  const echoedToken = async (): Promise<void> => {
    bridge.graph.replies(
      metaError(401, 190, `Malformed access token ${TOKEN}`, `Authorization: Bearer ${TOKEN} was not accepted`),
    );
    const headers = [`Authorization: ${PBX_AUTHORIZATION}`];
    const invite = bridge.pbxCalls({ headers, body: pbxSdp(rtp.address().port) });
    const refusal = await bridge.pbx.next(({ status }) => (status ?? 0) >= 400, 'a refusal');
    expect(refusal.raw).not.toContain(TOKEN);
    expect(refusal.get('Warning')).toContain('[redacted]');
    expect(refusal.get('Call-ID')).toBe(invite.get('Call-ID'));
    expect(await bridge.record(2)).toMatchObject({ direction: 'business_initiated' });
    expect(JSON.stringify(bridge.records)).not.toContain(TOKEN);
  };

  const verify = async (token: string): Promise<number> => {
    const { host, port } = bridge.daemon.addresses.webhook;
    const query = new URLSearchParams({
      'hub.mode': 'subscribe',
      'hub.challenge': '1158201444',
      'hub.verify_token': token,
    });
    const response = await fetch(`http://${host}:${port}/webhook?${query.toString()}`);
    await response.text();
    return response.status;
  };

  it('holds no secret, and the call on every line about one', async () => {
    await answeredCall();
    await refusedCall();
    const offer = keepSecretsOf('v=0\r\na=ice-pwd:pwd-of-a-forged-offer-0000\r\n');
    const forged = bridge.userConnect('wacid.forged', offer);
    expect(await bridge.deliver(forged, `sha256=${'5e'.repeat(32)}`)).toBe(401);
    await echoedToken();
    expect([await verify(VERIFY_TOKEN), await verify(TRIED_TOKEN)]).toEqual([200, 403]);
    await bridge.daemon.stop();

    for (const { body, headers } of bridge.graph.seen) {
      expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
      const { sdp = '' } = (body['session'] ?? {}) as { sdp?: string };
      keepSecretsOf(sdp);
    }
    expectNoSecrets();
    expectCallOnEveryLine();
  });

  const expectNoSecrets = (): void => {
    // the known ones, three offers, the answers and offer of the bridge, the digest, and the keys it offered the PBX
    expect(secrets.size).toBeGreaterThanOrEqual(7 + 3 + 3 + 1 + 3);
    for (const secret of secrets) {
      for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
        expect(log.text).not.toContain(form);
      expect(JSON.stringify(bridge.records)).not.toContain(secret);
    }
    expect(log.text).toContain('"srtp":"AES_CM_128_HMAC_SHA1_80"');
    expect(log.text).not.toMatch(/ice-pwd|a=crypto|inline:|Bearer|Digest|response=/i);
    expect(log.text).not.toMatch(/Authorization(?!: \[redacted\])/i);
    // what Meta echoed did come into the log, without the token
    expect(log.records).toContainEqual(
      expect.objectContaining({ title: 'Malformed access token [redacted]', details: 'Authorization: [redacted]' }),
    );
  };

  /** Lines about no call are of these kinds; every other line has a call, and one that there was. */
  const expectCallOnEveryLine = (): void => {
    const ofTheProcess = new Set([
      ...['SIP server connected', 'recovery done', 'ready', 'webhook verified'],
      ...['webhook verification refused', 'webhook signature is wrong or missing'],
      // Of the token, whichever call met it first.
      'Meta refuses the credentials: no calls can be placed',
    ]);
    const withoutCall = log.records.filter((line) => line['call'] === undefined);
    expect(withoutCall.filter(({ msg }) => !ofTheProcess.has(String(msg)))).toEqual([]);
    const ofCalls = log.records.filter((line) => line['call'] !== undefined);
    expect(new Set(ofCalls.map(({ call }) => call))).toEqual(new Set(bridge.records.map(({ call }) => call)));
    for (const { call } of bridge.records) {
      const messages = ofCalls.filter((line) => line['call'] === call).map(({ msg }) => msg);
      expect(messages).toEqual(expect.arrayContaining(['call offered', 'call.state', 'call ended']));
    }
  };
});
