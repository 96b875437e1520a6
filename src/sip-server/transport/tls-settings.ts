/** A server that is reached by TLS in a way of its own. */
export interface TlsServer {
  /** As URIs name it. */
  readonly host: string;
  /** Undefined: any, as DNS says it. */
  readonly port: number | undefined;
  /** PEM file of the authorities its certificate may be of; undefined: the public ones. */
  readonly caFile: string | undefined;
  /** False: whatever certificate it shows is taken. */
  readonly verify: boolean;
  /** What SNI says and the certificate must prove; undefined: `host`. */
  readonly serverName: string | undefined;
  /** Application protocols offered (RFC 7301); none: the extension is left out. */
  readonly alpn: readonly string[];
}

/** Certificates and rules of TLS; files are in PEM. */
export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of peers' certificates; undefined: the public ones. */
  readonly caFile: string | undefined;
  readonly clientCertificates: 'none' | 'request' | 'require';
  /** Servers with settings of their own; any other must prove its name by a public authority. */
  readonly servers: readonly TlsServer[];
}
