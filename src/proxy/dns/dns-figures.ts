import { exponentialBounds, Metrics } from "../../internal/metrics.js";
import { writeProcess } from "../../internal/process-metrics.js";

/** One exchange with a client. */
export interface ServedQuery {
  readonly protocol: "udp" | "tcp";
  readonly family: 4 | 6;
  /** Undefined where the query could not be read. */
  readonly type: string | undefined;
  readonly dnssecOk: boolean;
  readonly requestBytes: number;
  /** 0: there was no answer. */
  readonly responseBytes: number;
  readonly rcode: number;
  /** Who answered, by the name of CoreDNS' plugin; empty: nobody but the server itself. */
  readonly plugin: "kubernetes" | "forward" | "";
  readonly seconds: number;
}

/** Types that have a series of their own; the others share one. */
const knownTypes: ReadonlySet<string> = new Set(
  "A AAAA MX SOA CNAME PTR TXT NS SRV DS DNSKEY RRSIG NSEC NSEC3 HTTPS IXFR AXFR ANY".split(" "),
);
const rcodeNames = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
const timeBounds = exponentialBounds(0.00025, 2, 16);
const sizeBounds = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];
const where = ["server", "zone", "view"];
const cacheWhere = ["server", "zones", "view"];

/** The figures of a name server, by CoreDNS' names, as if all were served by one block for all names: kubeadm's. */
export class DnsFigures {
  readonly #metrics = new Metrics();
  readonly #startMs: number;
  readonly #place: readonly string[];
  readonly #dropped: readonly string[];
  readonly #requests = this.#metrics.counter("coredns_dns_requests_total", "Queries.", [
    ...where,
    "proto",
    "family",
    "type",
  ]);
  readonly #dnssec = this.#metrics.counter("coredns_dns_do_requests_total", "Queries that want signatures.", where);
  readonly #responses = this.#metrics.counter("coredns_dns_responses_total", "Answers.", [...where, "rcode", "plugin"]);
  readonly #seconds = this.#metrics.histogram(
    "coredns_dns_request_duration_seconds",
    "How long queries took.",
    timeBounds,
    [...where, "type"],
  );
  readonly #requestBytes = this.#sizes("request", "Sizes of queries.");
  readonly #responseBytes = this.#sizes("response", "Sizes of answers.");
  readonly #cacheRequests = this.#metrics.counter("coredns_cache_requests_total", "Looks into the cache.", cacheWhere);
  readonly #cacheMisses = this.#metrics.counter("coredns_cache_misses_total", "Looks in vain.", cacheWhere);
  readonly #cacheHits = this.#metrics.counter("coredns_cache_hits_total", "Answers found there.", [
    "server",
    "type",
    "zones",
    "view",
  ]);
  readonly #forwarded = this.#metrics.histogram(
    "coredns_proxy_request_duration_seconds",
    "How long other resolvers took.",
    timeBounds,
    ["proxy_name", "to", "rcode"],
  );
  readonly #rejected = this.#metrics.counter(
    "coredns_forward_max_concurrent_rejects_total",
    "Queries refused because too many to other resolvers were under way.",
  );

  /** `port`: where the server listens. */
  constructor(port: number, startMs: number) {
    const server = `dns://:${port}`;
    this.#place = [server, ".", ""];
    this.#dropped = [server, "dropped", ""];
    this.#startMs = startMs;
    const enabled = this.#metrics.gauge("coredns_plugin_enabled", "What the server does.", [...where, "name"]);
    for (const name of ["cache", "forward", "kubernetes", "loadbalance", "prometheus"]) {
      enabled.set(1, [...this.#place, name]);
    }
  }

  served(query: ServedQuery): void {
    const place = query.type === undefined ? this.#dropped : this.#place;
    const type = query.type !== undefined && knownTypes.has(query.type) ? query.type : "other";
    this.#requests.add([...place, query.protocol, query.family === 4 ? "1" : "2", type]);
    if (query.dnssecOk) this.#dnssec.add(place);
    this.#seconds.observe(query.seconds, [...place, type]);
    this.#requestBytes.observe(query.requestBytes, [...place, query.protocol]);
    if (query.responseBytes === 0) return;
    this.#responseBytes.observe(query.responseBytes, [...place, query.protocol]);
    this.#responses.add([...place, rcodeName(query.rcode), query.plugin]);
  }

  /** A look into the answers of other resolvers that are kept; `found` has the answer's code. */
  cache(found: { readonly rcode: number } | undefined): void {
    this.#cacheRequests.add(this.#place);
    const [server = "", zones = "", view = ""] = this.#place;
    if (found === undefined) this.#cacheMisses.add(this.#place);
    else this.#cacheHits.add([server, found.rcode === 0 ? "success" : "denial", zones, view]);
  }

  /** Another resolver answered. */
  forwarded(to: string, rcode: number, seconds: number): void {
    this.#forwarded.observe(seconds, ["forward", to, rcodeName(rcode)]);
  }

  rejected(): void {
    this.#rejected.add();
  }

  text(): string {
    const lines = this.#metrics.lines();
    writeProcess(lines, this.#startMs);
    return `${lines.join("\n")}\n`;
  }

  #sizes(of: "request" | "response", help: string): ReturnType<Metrics["histogram"]> {
    return this.#metrics.histogram(`coredns_dns_${of}_size_bytes`, help, sizeBounds, [...where, "proto"]);
  }
}

function rcodeName(rcode: number): string {
  return rcodeNames[rcode] ?? String(rcode);
}
