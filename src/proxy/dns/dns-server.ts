import { parseIp } from "../../api/index.js";
import { type Client, InformerFactory } from "../../client/index.js";
import { type Clock, realClock } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { type Logger, silentLogger, withFields } from "../../internal/logger.js";
import { type Random, systemRandom } from "../../internal/random.js";
import { readResolvConf } from "../../internal/resolv-conf.js";
import { KeptListener } from "../kept-listener.js";
import type { PageListener, Pages } from "../pages.js";
import { type ClusterData, followCluster } from "./cluster-data.js";
import { ClusterZones } from "./cluster-zones.js";
import { DnsFigures, type ServedQuery } from "./dns-figures.js";
import { Forwarder } from "./forwarder.js";
import { type Listening, listen, type MessageHandler } from "./listeners.js";
import { type DnsQuery, encodeAnswer, failure, readQuery, refuseVersion, udpLimit } from "./message.js";
import { Publication } from "./publication.js";
import { parseUpstream, type Upstream } from "./upstream.js";

export interface DnsServerOptions {
  readonly client: Client;
  /** Where to listen, over UDP and TCP. Addresses of this host, not 0.0.0.0: an answer must come from where the question went. */
  readonly addresses: readonly string[];
  /** Default 53; 0 is any free one. */
  readonly port?: number | undefined;
  /** The cluster's domain. Default `cluster.local`. */
  readonly domain?: string | undefined;
  /** How long answers about the cluster are good for, in seconds. Default 30. */
  readonly ttl?: number | undefined;
  /**
   * Resolvers for all other names, such as `192.0.2.53` or `192.0.2.53:5353`. Absent: those of this host's /etc/resolv.conf. Empty: other
   * names are answered with SERVFAIL, because a resolver that is refused gives up before it has tried the rest of its search list.
   */
  readonly upstreams?: readonly string[] | undefined;
  /** Questions to other resolvers that may be under way; those beyond get SERVFAIL. Default 1000. */
  readonly maxForwarded?: number | undefined;
  /**
   * By which name this server keeps an EndpointSlice of the Service `kube-system/kube-dns`, so that pods reach it: unlike that of any
   * other server. Removed when the server stops. Absent: somebody else sees to it.
   */
  readonly publishAs?: string | undefined;
  /** How long one other resolver is waited for, of at most three. Default 2000. */
  readonly upstreamTimeoutMs?: number | undefined;
  /** Serves `/metrics`, `/health` and `/ready`, which CoreDNS has on ports 9153, 8080 and 8181; absent: nobody does. */
  readonly pages?: PageListener | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  /** Of the component. Default `dns`. */
  readonly name?: string | undefined;
}

export interface DnsListener {
  readonly address: string;
  readonly port: number;
}

export interface DnsServer extends Component {
  /** Where it listens; empty before it is ready and after it stopped. */
  readonly listeners: readonly DnsListener[];
}

/**
 * A DNS server for a cluster: answers for its Services and pods from what the API says, by Kubernetes' specification of DNS-based service
 * discovery 1.1.0, and passes all other questions on. Any number may run, each for itself. Ready when it knows the cluster and listens;
 * while the API is away it answers from what it knows.
 */
export function createDnsServer(options: DnsServerOptions): DnsServer {
  return new ClusterDnsServer(options);
}

const dnsService = { namespace: "kube-system", name: "kube-dns" } as const;

class ClusterDnsServer implements DnsServer {
  readonly name: string;
  readonly dependencies: readonly string[] = ["apiserver"];
  readonly #options: DnsServerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #figures: DnsFigures | undefined;
  #listening: readonly Listening[] = [];
  #ready = false;

  constructor(options: DnsServerOptions) {
    if (options.addresses.length === 0) throw new RangeError("a DNS server needs an address to listen on");
    this.#options = options;
    this.name = options.name ?? "dns";
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = withFields(options.logger ?? silentLogger, { server: "dns" });
    this.#figures = options.pages && new DnsFigures(options.port ?? 53, this.#clock.now());
  }

  get listeners(): readonly DnsListener[] {
    return this.#listening.map(({ address, port }) => ({ address, port }));
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { client, domain, ttl } = this.#options;
    const shared = { clock: this.#clock, random: this.#random, logger: this.#logger };
    const factory = new InformerFactory({ client, ...shared });
    const stop = new AbortController();
    const pages = this.#servePages();
    const { maxForwarded: maxConcurrent, upstreamTimeoutMs: timeoutMs } = this.#options;
    try {
      const forwarding = { maxConcurrent, timeoutMs, signal: stop.signal };
      const upstreams = this.#upstreams();
      const forwarder = new Forwarder({ ...shared, ...forwarding, upstreams, figures: this.#figures });
      const data = followCluster(factory, this.#clock);
      const zones = new ClusterZones({
        data,
        domain,
        ttl,
        addresses: () => this.#options.addresses,
        outside: (name, type) => forwarder.resolve(name, type),
        random: this.#random,
      });
      factory.start(signal);
      await factory.whenSynced(signal);
      await this.#listen((message, from) => this.#serve(message, from, zones, forwarder));
      const publication = this.#publication(data);
      const published = await publication?.publish(signal);
      this.#ready = true;
      ready();
      await publication?.keep(published === true, signal);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stop.abort();
      this.#ready = false;
      await pages?.[Symbol.asyncDispose]();
      const listening = this.#listening;
      this.#listening = [];
      await Promise.all(listening.map((each) => each[Symbol.asyncDispose]()));
      await factory[Symbol.asyncDispose]();
    }
  }

  #publication(data: ClusterData): Publication | undefined {
    const { client, publishAs: instance } = this.#options;
    if (instance === undefined) return undefined;
    const { namespace, name } = dnsService;
    return new Publication({
      client,
      key: dnsService,
      service: () => data.service(namespace, name),
      instance,
      listeners: this.listeners,
      clock: this.#clock,
      logger: this.#logger,
    });
  }

  async #listen(handler: (message: Buffer, from: Origin) => Promise<Buffer | undefined>): Promise<void> {
    const { addresses } = this.#options;
    const { clock, logger } = { clock: this.#clock, logger: this.#logger };
    let { port = 53 } = this.#options;
    for (const address of new Set(addresses)) {
      const family = address.includes(":") ? 6 : 4;
      const handle: MessageHandler = (message, protocol) => handler(message, { protocol, family });
      const listening = await listen({ address, port, handler: handle, clock, logger });
      this.#listening = [...this.#listening, listening];
      // The same on every address, so that one EndpointSlice can have them all.
      port = listening.port;
    }
  }

  #servePages(): KeptListener | undefined {
    const { pages: listenTo } = this.#options;
    const figures = this.#figures;
    if (listenTo === undefined || figures === undefined) return undefined;
    const pages: Pages = (path) => {
      if (path === "/metrics") {
        return { code: 200, text: figures.text(), contentType: "text/plain; version=0.0.4; charset=utf-8" };
      }
      if (path === "/health") return { code: 200, text: "OK" };
      if (path !== "/ready") return undefined;
      return this.#ready ? { code: 200, text: "OK" } : { code: 503, text: "kubernetes" };
    };
    const failed = (error: unknown): void => this.#logger.warn("pages cannot be served; trying again", { error });
    return new KeptListener(() => listenTo(pages), this.#clock, failed);
  }

  #upstreams(): readonly Upstream[] {
    const { upstreams, addresses, port = 53 } = this.#options;
    const all = upstreams ?? hostResolvers();
    // One that asks itself would do so without end.
    return all.map(parseUpstream).filter((each) => each.port !== port || !addresses.includes(each.address));
  }

  /** Answers and counts. */
  async #serve(message: Buffer, from: Origin, zones: ClusterZones, forwarder: Forwarder): Promise<Buffer | undefined> {
    const startedMs = this.#clock.now();
    const read = readQuery(message);
    const query = "reply" in read ? undefined : read.query;
    const { reply, plugin } =
      "reply" in read
        ? ({ reply: read.reply, plugin: "" } as const)
        : await this.#answer(read.query, from.protocol, zones, forwarder);
    this.#figures?.served({
      ...from,
      type: query?.question.type,
      dnssecOk: query?.edns?.dnssecOk ?? false,
      requestBytes: message.length,
      responseBytes: reply?.length ?? 0,
      rcode: reply === undefined ? 0 : reply.readUInt16BE(2) & 0xf,
      plugin,
      seconds: (this.#clock.now() - startedMs) / 1000,
    });
    return reply;
  }

  async #answer(
    query: DnsQuery,
    protocol: "udp" | "tcp",
    zones: ClusterZones,
    forwarder: Forwarder,
  ): Promise<{ readonly reply: Buffer; readonly plugin: ServedQuery["plugin"] }> {
    const { question } = query;
    try {
      if (query.edns !== undefined && query.edns.version !== 0) return { reply: refuseVersion(query), plugin: "" };
      if (query.class !== "IN" || question.type === "AXFR" || question.type === "IXFR")
        return { reply: failure(query, "REFUSED"), plugin: "" };
      const limit = protocol === "udp" ? udpLimit(query) : 65_535;
      const answer = await zones.answer(question);
      if (answer !== undefined) return { reply: encodeAnswer(query, answer, limit), plugin: "kubernetes" };
      const forwarded = await forwarder.forward(query.bytes, protocol);
      if (forwarded === undefined) return { reply: failure(query, "SERVFAIL"), plugin: "" };
      const reply = forwarded.length <= limit ? forwarded : cut(forwarded, query.questionEnd);
      return { reply, plugin: "forward" };
    } catch (error) {
      this.#logger.warn("a question could not be answered", { name: question.name, type: question.type, error });
      return { reply: failure(query, "SERVFAIL"), plugin: "" };
    }
  }
}

/** By which way a message came. */
type Origin = Pick<ServedQuery, "protocol" | "family">;

/** The head of an answer that is too long for the client, who is to ask again over TCP. */
function cut(answer: Buffer, questionEnd: number): Buffer {
  const head = Buffer.from(answer.subarray(0, questionEnd));
  head.writeUInt16BE(head.readUInt16BE(2) | 0x0200, 2);
  head.fill(0, 6, 12);
  return head;
}

/** A host without the file, or with one that names nobody who can be asked, has no resolver. */
function hostResolvers(): readonly string[] {
  const { servers } = readResolvConf("/etc/resolv.conf");
  const known = servers.filter((server) => parseIp(server.replace(/%.*$/, "")) !== undefined);
  return known.map((server) => (server.includes(":") ? `[${server}]` : server));
}
