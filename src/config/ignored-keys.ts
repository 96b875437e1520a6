import { itemsOf } from './cross-checks.js';
import type { Findings } from './issue.js';
import type { Scalars } from './scalars.js';
import type { YamlSource } from './yaml-source.js';

/** Keys that are written and without effect, be it that they are not built or that another key turns them off. */
export function warnIgnored(scalars: Scalars, source: YamlSource, findings: Findings): void {
  if (scalars['sip.server'] !== 'drachtio') return;
  if (source.has(['sip', 'listen'])) {
    const message = 'is not used with sip.server: drachtio, which listens where its own configuration says';
    findings.warn(['sip', 'listen'], { message, cure: 'remove it, and set the sockets in drachtio.conf.xml' }, 'key');
  }
  const tls = [
    ['sip', 'tls'],
    ['trunk_defaults', 'tls'],
    ...itemsOf(source.data, 'trunks').map((_, at) => ['trunks', at, 'tls']),
  ];
  for (const path of tls.filter((each) => source.has(each))) {
    const message = 'is not used with sip.server: drachtio, which has its own certificates and rules of TLS';
    findings.warn(path, { message, cure: 'remove it, and set TLS in drachtio.conf.xml' }, 'key');
  }
  if (source.has(['sip', 'session_expires'])) {
    const message = 'is not used with sip.server: drachtio, which runs session timers by its own configuration';
    findings.warn(['sip', 'session_expires'], { message, cure: 'remove it, and set them in drachtio.conf.xml' }, 'key');
  }
  for (const timer of ['timer_t1', 'timer_t2', 'timer_t4'].filter((key) => source.has(['sip', key]))) {
    const message = 'is not used with sip.server: drachtio, which has its own timers';
    findings.warn(['sip', timer], { message, cure: 'remove it, and set it in drachtio.conf.xml' }, 'key');
  }
  if (scalars['sip.advertised_host'] !== '') {
    const message = 'is not used with sip.server: drachtio, which shows the address of its own configuration';
    findings.warn(['sip', 'advertised_host'], { message, cure: 'remove it, and set it in drachtio.conf.xml' });
  }
}
