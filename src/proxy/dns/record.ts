export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface SoaData {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

interface RecordOf<Type extends string, Data> {
  /** Without the trailing dot: `web.default.svc.cluster.local`. */
  readonly name: string;
  readonly type: Type;
  /** In seconds. */
  readonly ttl: number;
  readonly data: Data;
}

/** A resource record of class IN. Names in it have no trailing dot. */
export type DnsRecord =
  | RecordOf<"A" | "AAAA" | "CNAME" | "NS" | "PTR" | "TXT", string>
  | RecordOf<"SRV", SrvData>
  | RecordOf<"SOA", SoaData>;

export interface DnsQuestion {
  /** As it was asked, without the trailing dot; the root is the empty name. */
  readonly name: string;
  /** `A`, `SRV` ...; one without a name is `UNKNOWN_65`. */
  readonly type: string;
}

export type Rcode = "NOERROR" | "FORMERR" | "SERVFAIL" | "NXDOMAIN" | "NOTIMP" | "REFUSED";

/** What is answered to a question. NOERROR without answers says that the name has no record of this type. */
export interface DnsAnswer {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
  /** Whether something is missing because somebody else's answer was cut. */
  readonly truncated?: boolean | undefined;
}
