import { endReason } from '../../../../src/call/end-reason.js';
import type { Trunk } from '../../../../src/routing/types.js';
import { eventually } from '../../../support/eventually.js';
import type { LegLog } from '../../../support/leg-log.js';
import { PEER_SDP, type PeerMessage } from '../../../support/sip-script-peer.js';
import { sceneAuth } from '../../../support/sip-scene.js';
import { hopByHop } from '../../../support/hop-by-hop.js';
import { read } from '../../sip-server/bench.js';
import type { AgentStage, LivePbx } from './agent-stage.js';

/*
 * Calls between our user agent and a PBX. What the PBX does stands in `network`: with a SIP server it is done, with a recording
 * it is what the recording says next. The rest is the same on both.
 */

export interface AgentScenario {
  readonly play: (stage: AgentStage) => Promise<LegLog>;
  /** What the leg reports. */
  readonly events: readonly string[];
  readonly trunk?: Partial<Trunk>;
  /** A drachtio-server does this in another order, or by other frames, than the embedded one: only the events are the same. */
  readonly ownFrames?: string;
}

/** What the PBX knows of a dialog; empty where a recording plays its part. */
interface PbxDialog {
  sent?: PeerMessage;
  answer?: PeerMessage;
}

const sent = (dialog: PbxDialog): PeerMessage => dialog.sent!;
const answer = (dialog: PbxDialog): PeerMessage => dialog.answer!;
const hangup = endReason('hangup');
const hold = PEER_SDP.replace('sendrecv', 'sendonly');

async function arrives(stage: AgentStage, headers: readonly string[] = []) {
  const dialog: PbxDialog = {};
  await stage.network('the PBX calls', async ({ peer, sip }) => {
    const text = peer.newRequest('INVITE', `sip:+4915112345678@${sip.host}:${sip.port}`, { body: PEER_SDP, headers });
    dialog.sent = read(text);
    peer.send(text, sip);
    await peer.response(100, 'INVITE');
  });
  return { dialog, ...(await stage.call()) };
}

async function acknowledged(stage: AgentStage, dialog: PbxDialog): Promise<void> {
  await stage.network('the PBX acknowledges', async ({ peer, sip }) => {
    dialog.answer = await peer.response(200, 'INVITE');
    peer.send(peer.inDialog('ACK', sent(dialog), answer(dialog), { cseq: 1 }), sip);
  });
}

async function inboundCall(stage: AgentStage) {
  const arrival = await arrives(stage);
  arrival.call.leg.answer();
  await acknowledged(stage, arrival.dialog);
  await arrival.log.saw('confirmed');
  return arrival;
}

/** The PBX asks something inside the call it placed, and is answered. */
const asks = (stage: AgentStage, method: string, dialog: PbxDialog, cseq: number, headers: readonly string[] = []) =>
  stage.network(`the PBX sends ${method}`, async ({ peer, sip }) => {
    peer.send(peer.inDialog(method, sent(dialog), answer(dialog), { cseq, headers }), sip);
    await peer.response(200, method);
  });

const describesAnew = (stage: AgentStage, what: string, dialog: PbxDialog, cseq: number, body: string) =>
  stage.network(what, async ({ peer, sip }) => {
    peer.send(peer.inDialog('INVITE', sent(dialog), answer(dialog), { cseq, body }), sip);
    const ok = await peer.next((message) => message.status === 200 && message.cseq === cseq, '200 to the re-INVITE');
    peer.send(peer.inDialog('ACK', sent(dialog), ok, { cseq }), sip);
  });

async function dialled(stage: AgentStage) {
  const dialog: PbxDialog = {};
  const { leg, log } = stage.dial();
  await stage.network('the PBX rings', async ({ peer }) => {
    dialog.sent = await peer.request('INVITE');
    peer.reply(sent(dialog), 180, 'Ringing', { toTag: 'peer1' });
  });
  await log.saw('progress');
  return { dialog, leg, log };
}

async function outboundCall(stage: AgentStage) {
  const call = await dialled(stage);
  await stage.network('the PBX answers', async ({ peer }) => {
    peer.reply(sent(call.dialog), 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    await peer.request('ACK');
  });
  await call.log.saw('answered');
  return call;
}

const takesBye = async ({ peer }: LivePbx): Promise<void> =>
  peer.reply(await peer.request('BYE', 45_000), 200, 'OK', { noContact: true });

const over = async (log: LegLog, deadlineMs?: number): Promise<LegLog> => {
  await log.saw('terminated', deadlineMs);
  return log;
};

const cancels = (stage: AgentStage, dialog: PbxDialog): Promise<void> =>
  stage.network('the PBX cancels', async ({ peer, sip }) => {
    peer.send(hopByHop('CANCEL', sent(dialog)), sip);
    const refused = await peer.response(487, 'INVITE');
    peer.send(hopByHop('ACK', sent(dialog), refused.get('To')), sip);
  });

export const AGENT_SCENARIOS: Readonly<Record<string, AgentScenario>> = {
  'inbound call, the PBX hangs up': {
    events: ['confirmed', 'ended hangup', 'terminated'],
    play: async (stage) => {
      const { dialog, log } = await inboundCall(stage);
      await asks(stage, 'BYE', dialog, 2);
      return over(log);
    },
  },
  'inbound call, we hang up': {
    events: ['confirmed', 'terminated'],
    play: async (stage) => {
      const { call, log } = await inboundCall(stage);
      call.leg.hangup(hangup);
      await stage.network('the PBX takes the BYE', takesBye);
      return over(log);
    },
  },
  'inbound call that we refuse': {
    events: ['terminated'],
    play: async (stage) => {
      const { call, log, dialog } = await arrives(stage);
      call.leg.reject(endReason('busy'));
      await stage.network('the PBX acknowledges the refusal', async ({ peer, sip }) => {
        const refused = await peer.response(486, 'INVITE');
        peer.send(hopByHop('ACK', sent(dialog), refused.get('To')), sip);
      });
      return over(log);
    },
  },
  'CANCEL before any answer': {
    events: ['cancelled cancelled', 'terminated'],
    play: async (stage) => {
      const { dialog, log } = await arrives(stage);
      await cancels(stage, dialog);
      return over(log);
    },
  },
  'CANCEL while it rings': {
    events: ['cancelled cancelled', 'terminated'],
    play: async (stage) => {
      const { call, dialog, log } = await arrives(stage);
      call.leg.ring();
      await stage.network('the PBX hears ringing', async ({ peer }) => {
        await peer.response(180, 'INVITE');
      });
      await cancels(stage, dialog);
      return over(log);
    },
  },
  're-INVITEs that hold and resume': {
    events: ['confirmed', 'held', 'resumed', 'ended hangup', 'terminated'],
    play: async (stage) => {
      const { dialog, log } = await inboundCall(stage);
      await describesAnew(stage, 'the PBX holds', dialog, 2, hold);
      await log.saw('held');
      await describesAnew(stage, 'the PBX resumes', dialog, 3, PEER_SDP);
      await log.saw('resumed');
      await asks(stage, 'BYE', dialog, 4);
      return over(log);
    },
  },
  'INFO and OPTIONS inside a call': {
    events: ['confirmed', 'dtmf', 'ended hangup', 'terminated'],
    play: async (stage) => {
      const { dialog, log } = await inboundCall(stage);
      await stage.network('a key is pressed', async ({ peer, sip }) => {
        const body = 'Signal=5\r\nDuration=160\r\n';
        const headers = ['Content-Type: application/dtmf-relay'];
        const text = peer.inDialog('INFO', sent(dialog), answer(dialog), { cseq: 2, headers, body });
        peer.send(text.replace('Content-Type: application/sdp\r\n', ''), sip);
        await peer.response(200, 'INFO');
      });
      await log.saw('dtmf');
      await asks(stage, 'OPTIONS', dialog, 3);
      await asks(stage, 'BYE', dialog, 4);
      return over(log);
    },
  },
  'ringing that the PBX wants reliably': {
    events: ['confirmed', 'ended hangup', 'terminated'],
    play: async (stage) => {
      const { call, dialog, log } = await arrives(stage, ['Require: 100rel']);
      call.leg.ring();
      await stage.network('the PBX acknowledges ringing', async ({ peer, sip }) => {
        const ringing = await peer.response(180, 'INVITE');
        const headers = [`RAck: ${ringing.get('RSeq')} 1 INVITE`];
        peer.send(peer.inDialog('PRACK', sent(dialog), ringing, { cseq: 2, headers }), sip);
        await peer.response(200, 'PRACK');
      });
      call.leg.answer();
      await acknowledged(stage, dialog);
      await log.saw('confirmed');
      await asks(stage, 'BYE', dialog, 3);
      return over(log);
    },
  },
  'a 200 that is never acknowledged': {
    events: ['failed unavailable', 'terminated'],
    play: async (stage) => {
      const { call, log } = await arrives(stage);
      call.leg.answer();
      await stage.network('the server gives up', takesBye);
      return over(log, 45_000);
    },
  },
  'outbound call, we hang up': {
    events: ['progress', 'answered', 'terminated'],
    play: async (stage) => {
      const { leg, log } = await outboundCall(stage);
      leg.hangup(hangup);
      await stage.network('the PBX takes the BYE', takesBye);
      return over(log);
    },
  },
  'outbound call, the PBX hangs up': {
    events: ['progress', 'answered', 'ended hangup', 'terminated'],
    play: async (stage) => {
      const { dialog, log } = await outboundCall(stage);
      await stage.network('the PBX hangs up', async ({ peer, sip }) => {
        peer.send(peer.fromCallee('BYE', sent(dialog), 'peer1', 2), sip);
        await peer.response(200, 'BYE');
      });
      return over(log);
    },
  },
  'outbound call that is busy': {
    events: ['failed busy', 'terminated'],
    play: async (stage) => {
      const { log } = stage.dial();
      await stage.network('the PBX is busy', async ({ peer }) => {
        peer.reply(await peer.request('INVITE'), 486, 'Busy Here', { toTag: 'peer1' });
        await peer.request('ACK');
      });
      return over(log);
    },
  },
  'outbound call that we cancel': {
    events: ['progress', 'terminated'],
    play: async (stage) => {
      const { dialog, leg, log } = await dialled(stage);
      leg.hangup(hangup);
      await stage.network('the PBX takes the CANCEL', async ({ peer }) => {
        peer.reply(await peer.request('CANCEL'), 200, 'OK', { noContact: true });
        peer.reply(sent(dialog), 487, 'Request Terminated', { toTag: 'peer1' });
        await peer.request('ACK');
      });
      return over(log);
    },
  },
  'outbound call whose CANCEL crosses the answer': {
    events: ['progress', 'terminated'],
    play: async (stage) => {
      const { dialog, leg, log } = await dialled(stage);
      leg.hangup(hangup);
      await stage.network('the PBX has answered', async ({ peer }) => {
        const cancel = await peer.request('CANCEL');
        peer.reply(sent(dialog), 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
        peer.reply(cancel, 200, 'OK', { noContact: true });
        await peer.request('ACK');
        peer.reply(await peer.request('BYE'), 200, 'OK', { noContact: true });
      });
      return over(log);
    },
  },
  'outbound call with digest': {
    events: ['answered', 'terminated'],
    trunk: { auth: sceneAuth },
    play: async (stage) => {
      const { leg, log } = stage.dial();
      await stage.network('the PBX challenges', async ({ peer }) => {
        const headers = ['Proxy-Authenticate: Digest realm="pbx.example",nonce="abc",algorithm=SHA-256,qop="auth"'];
        peer.reply(await peer.request('INVITE'), 407, 'Proxy Authentication Required', { toTag: 'peer0', headers });
        await peer.request('ACK');
      });
      await stage.network('the PBX answers', async ({ peer }) => {
        const again = await peer.next((message) => message.has('Proxy-Authorization'), 'INVITE with credentials');
        peer.reply(again, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
        await peer.request('ACK');
      });
      await log.saw('answered');
      leg.hangup(hangup);
      await stage.network('the PBX takes the BYE', takesBye);
      return over(log);
    },
  },
  'reliable 183 and PRACK': {
    events: ['earlyMedia', 'answered', 'terminated'],
    play: async (stage) => {
      const dialog: PbxDialog = {};
      const { leg, log } = stage.dial();
      await stage.network('the PBX plays early media', async ({ peer }) => {
        dialog.sent = await peer.request('INVITE');
        const headers = ['Require: 100rel', 'RSeq: 1'];
        peer.reply(sent(dialog), 183, 'Session Progress', { toTag: 'peer1', headers, body: PEER_SDP });
        peer.reply(await peer.request('PRACK'), 200, 'OK', { noContact: true });
      });
      await log.saw('earlyMedia');
      await stage.network('the PBX answers', async ({ peer }) => {
        peer.reply(sent(dialog), 200, 'OK', { toTag: 'peer1' });
        await peer.request('ACK');
      });
      await log.saw('answered');
      leg.hangup(hangup);
      await stage.network('the PBX takes the BYE', takesBye);
      return over(log);
    },
  },
  'a call that the server cannot send': {
    events: ['failed trunk_down', 'terminated'],
    ownFrames: 'a drachtio-server refuses the command (NOK), the embedded one answers as if the PBX had',
    play: async (stage) => over(stage.dial({ transport: 'tls' }).log),
  },
  'loss of the link with a call up': {
    events: ['progress', 'answered', 'ended trunk_down', 'terminated'],
    ownFrames: 'the embedded server hangs up by itself, for a drachtio-server it is ours to do once the link is back',
    play: async (stage) => {
      const { log } = await outboundCall(stage);
      await stage.other.cutLink();
      await log.saw('terminated');
      await eventually(() => stage.agent.ready, 'link back', 5000);
      await stage.network('the PBX takes the BYE', takesBye);
      const { journal } = stage;
      await eventually(() => journal.entries().at(-1)?.event === 'dialog_ended', 'end on record');
      return log;
    },
  },
};
