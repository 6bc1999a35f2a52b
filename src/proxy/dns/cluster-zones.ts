import { type Random, randomInt } from "../../internal/random.js";
import { type ClusterData, canonicalIp, clusterIpsOf, serviceNameOf } from "./cluster-data.js";
import { addressOfReverse, parseName } from "./name.js";
import type { DnsAnswer, DnsQuestion, DnsRecord, Rcode } from "./record.js";
import { familyOf, isHeadless, readyAddresses, type Target, targetsOf } from "./targets.js";

/** Answers of a resolver outside the cluster, for names that services only stand for. */
export interface OutsideAnswer {
  readonly answers: readonly DnsRecord[];
  readonly truncated: boolean;
}

export interface ClusterZonesOptions {
  readonly data: ClusterData;
  /** The cluster's domain. Default `cluster.local`. */
  readonly domain?: string | undefined;
  /** How long answers are good for, in seconds. Default 30. */
  readonly ttl?: number | undefined;
  /** This server's own addresses, by which its name is found for NS records. */
  readonly addresses?: () => readonly string[];
  /** Looks a name up outside the cluster; undefined when that failed. Absent: nobody does. */
  readonly outside?: ((name: string, type: string) => Promise<OutsideAnswer | undefined>) | undefined;
  /** Shuffles addresses, so that clients that take the first one spread. */
  readonly random: Random;
}

/** The version of the schema of names; upstream's specification of DNS-based service discovery. */
export const schemaVersion = "1.1.0";
const schemaTtl = 28_800;
const maxAliases = 8;
const reverseZones: readonly string[] = ["in-addr.arpa", "ip6.arpa"];

interface Place {
  readonly question: DnsQuestion;
  readonly zone: string;
  /** The labels before the zone, in lower case. */
  readonly labels: readonly string[];
}

/** Records, with those that go along; undefined: there is no such name. */
type Found = { readonly answers: readonly DnsRecord[]; readonly more?: readonly DnsRecord[]; readonly cut?: boolean };

/**
 * The zones of a cluster: its domain, in-addr.arpa and ip6.arpa, with the names of Kubernetes' specification of DNS-based service discovery
 * 1.1.0, answered as CoreDNS' `kubernetes` plugin does with kubeadm's configuration (`pods insecure`, `fallthrough in-addr.arpa ip6.arpa`).
 */
export class ClusterZones {
  readonly #options: ClusterZonesOptions;
  readonly #data: ClusterData;
  readonly #domain: string;
  readonly #ttl: number;

  constructor(options: ClusterZonesOptions) {
    this.#options = options;
    this.#data = options.data;
    this.#domain = (options.domain ?? "cluster.local").replace(/\.$/, "").toLowerCase();
    this.#ttl = options.ttl ?? 30;
  }

  /** Undefined: the name belongs to somebody else, as do addresses that no service has. SERVFAIL: the cluster is not known yet. */
  async answer(question: DnsQuestion): Promise<DnsAnswer | undefined> {
    const place = this.#placeOf(question);
    if (place === undefined) return undefined;
    const found = await this.#find(place);
    if (found === undefined) {
      if (reverseZones.includes(place.zone)) return undefined;
      return this.#nothing(this.#data.synced ? "NXDOMAIN" : "SERVFAIL", place.zone);
    }
    const { answers, more = [], cut = false } = found;
    if (answers.length === 0) return this.#nothing(this.#data.synced ? "NOERROR" : "SERVFAIL", place.zone);
    return {
      rcode: "NOERROR",
      authoritative: true,
      answers: this.#shuffled(answers),
      authorities: [],
      additionals: this.#shuffled(more),
      truncated: cut,
    };
  }

  #placeOf(question: DnsQuestion): Place | undefined {
    const name = question.name.toLowerCase();
    for (const zone of [this.#domain, ...reverseZones]) {
      if (name === zone) return { question, zone, labels: [] };
      if (name.endsWith(`.${zone}`)) {
        return { question, zone, labels: name.slice(0, -zone.length - 1).split(".") };
      }
    }
    return undefined;
  }

  async #find(place: Place): Promise<Found | undefined> {
    const { question, zone, labels } = place;
    const atApex = labels.length === 0;
    switch (question.type) {
      case "A":
        return this.#addresses(place, 4, []);
      case "AAAA":
        return this.#addresses(place, 6, []);
      case "SRV":
        return this.#srv(place);
      case "PTR":
        return this.#ptr(place);
      case "CNAME":
        return this.#cname(place);
      // Of texts there is one, and as upstream no other name is looked for.
      case "TXT": {
        const isVersion = labels.length === 1 && labels[0] === "dns-version";
        return { answers: isVersion ? [this.#record(question.name, "TXT", schemaVersion, schemaTtl)] : [] };
      }
      case "SOA":
        if (atApex) return { answers: [this.#soa(zone)] };
        break;
      case "NS":
        if (atApex) return this.#ns(zone, question.name);
        break;
    }
    return this.#targets(place) === undefined ? undefined : { answers: [] };
  }

  /** What the name leads to: empty where there is nothing but the name, undefined where there is not even that. */
  #targets({ zone, labels }: Place): readonly Target[] | undefined {
    if (labels.length === 2 && labels.join(".") === "ns.dns") {
      return this.#ownNames(zone).map(({ ip, name }) => ({ host: ip, family: familyOf(ip), owner: name }));
    }
    const request = parseName(labels);
    if (request === "apex") return [];
    if (request === undefined || zone !== this.#domain) return undefined;
    return targetsOf(request, this.#data, zone);
  }

  async #addresses(place: Place, family: 4 | 6, before: readonly DnsRecord[]): Promise<Found | undefined> {
    const targets = this.#targets(place);
    if (targets === undefined) return undefined;
    const { name } = place.question;
    const type = family === 4 ? "A" : "AAAA";
    const [first] = targets;
    if (first !== undefined && first.family === undefined) return this.#alias(place, first.host, family, before);
    const hosts = new Set(targets.filter((target) => target.family === family).map(({ host }) => host));
    return { answers: [...hosts].map((host) => this.#record(name, type, host)) };
  }

  /** The name of another name, with what that leads to, within the cluster or outside. */
  async #alias(place: Place, host: string, family: 4 | 6, before: readonly DnsRecord[]): Promise<Found> {
    const { name, type } = place.question;
    const seen = before.some(({ data }) => typeof data === "string" && data.toLowerCase() === host.toLowerCase());
    if (before.length >= maxAliases || seen || host.toLowerCase() === name.toLowerCase()) return { answers: [] };
    const record = this.#record(name, "CNAME", host);
    const next = this.#placeOf({ name: host, type });
    if (next !== undefined && next.zone === place.zone) {
      const { answers = [], cut } = (await this.#addresses(next, family, [...before, record])) ?? {};
      return answers.length === 0 ? { answers } : { answers: [record, ...answers], ...(cut ? { cut } : {}) };
    }
    const found = await this.#options.outside?.(host, type);
    if (found === undefined) return { answers: [] };
    return { answers: [record, ...found.answers], cut: found.truncated };
  }

  #cname(place: Place): Found | undefined {
    const targets = this.#targets(place);
    if (targets === undefined) return undefined;
    const [first] = targets;
    const isAlias = first !== undefined && first.family === undefined;
    return { answers: isAlias ? [this.#record(place.question.name, "CNAME", first.host)] : [] };
  }

  #srv(place: Place): Found | undefined {
    const targets = this.#targets(place);
    if (targets === undefined) return undefined;
    const { name } = place.question;
    const hosts = targets.filter(({ family }) => family !== undefined);
    const weight = Math.max(1, Math.floor(100 / Math.max(1, hosts.length)));
    const answers = new Map<string, DnsRecord>();
    const more = new Map<string, DnsRecord>();
    for (const { host, family, owner, port } of hosts) {
      if (port === undefined) continue;
      const data = { priority: 0, weight, port, target: owner };
      answers.set(`${owner} ${port}`, { name, type: "SRV", ttl: this.#ttl, data });
      more.set(`${owner} ${host}`, this.#record(owner, family === 4 ? "A" : "AAAA", host));
    }
    return { answers: [...answers.values()], more: [...more.values()] };
  }

  #ptr(place: Place): Found | undefined {
    const { zone, labels, question } = place;
    if (!reverseZones.includes(zone)) return this.#targets(place) === undefined ? undefined : { answers: [] };
    if (labels.length === 0) return { answers: [] };
    const ip = addressOfReverse(labels, zone);
    const names = ip === undefined ? [] : this.#namesOf(ip);
    return names.length === 0 ? undefined : { answers: names.map((name) => this.#record(question.name, "PTR", name)) };
  }

  /** The service that has the address, or else what each service calls its endpoint there. */
  #namesOf(ip: string): readonly string[] {
    for (const { metadata } of this.#data.servicesByAddress(ip)) {
      return [`${metadata.name}.${metadata.namespace}.svc.${this.#domain}`];
    }
    const names = new Set<string>();
    for (const slice of this.#data.slicesByAddress(ip)) {
      const service = serviceNameOf(slice);
      if (service === "") continue;
      for (const address of readyAddresses(slice)) {
        if (address.ip !== ip) continue;
        names.add(`${address.hostname}.${service}.${slice.metadata.namespace}.svc.${this.#domain}`);
      }
    }
    return [...names];
  }

  #ns(zone: string, name: string): Found {
    const own = this.#ownNames(zone);
    const names = [...new Set(own.map((each) => each.name))];
    return {
      answers: names.map((server) => this.#record(name, "NS", server)),
      more: own.map(({ name: owner, ip }) => this.#record(owner, familyOf(ip) === 4 ? "A" : "AAAA", ip)),
    };
  }

  /** This server's names: of the services that lead to it, else one of its own. */
  #ownNames(zone: string): readonly { readonly name: string; readonly ip: string }[] {
    const addresses = (this.#options.addresses?.() ?? []).flatMap((address) => canonicalIp(address) ?? []);
    const names = new Map<string, { readonly name: string; readonly ip: string }>();
    const add = (name: string, ip: string): Map<string, unknown> => names.set(`${name} ${ip}`, { name, ip });
    for (const address of addresses) {
      for (const slice of this.#data.slicesByAddress(address)) {
        const { namespace = "" } = slice.metadata;
        const service = this.#data.service(namespace, serviceNameOf(slice));
        if (service === undefined) continue;
        const name = `${service.metadata.name}.${namespace}.svc.${zone}`;
        if (!isHeadless(service)) for (const ip of clusterIpsOf(service)) add(name, ip);
        else for (const { ip, hostname } of readyAddresses(slice)) add(`${hostname}.${name}`, ip);
      }
    }
    if (names.size === 0) for (const ip of addresses) add(`ns.dns.${zone}`, ip);
    return [...names.values()];
  }

  #nothing(rcode: Rcode, zone: string): DnsAnswer {
    return { rcode, authoritative: true, answers: [], authorities: [this.#soa(zone)], additionals: [] };
  }

  #soa(zone: string): DnsRecord {
    const data = {
      mname: `ns.dns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: this.#data.serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: this.#ttl,
    };
    return { name: zone, type: "SOA", ttl: Math.min(this.#ttl, 300), data };
  }

  #record(name: string, type: Exclude<DnsRecord["type"], "SRV" | "SOA">, data: string, ttl = this.#ttl): DnsRecord {
    return { name, type, ttl, data };
  }

  /** Addresses in a random order, each other record where it was. */
  #shuffled(records: readonly DnsRecord[]): readonly DnsRecord[] {
    const isAddress = ({ type }: DnsRecord): boolean => type === "A" || type === "AAAA";
    const addresses = records.filter(isAddress);
    for (let last = addresses.length - 1; last > 0; last--) {
      const other = randomInt(this.#options.random, last + 1);
      const [one, two] = [addresses[last], addresses[other]];
      if (one === undefined || two === undefined) continue;
      addresses[last] = two;
      addresses[other] = one;
    }
    return [...records.filter((record) => !isAddress(record)), ...addresses];
  }
}
