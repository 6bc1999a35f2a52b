import { type Logger, silentLogger } from "../internal/logger.js";
import type { Exec } from "./exec.js";
import { endpointsFor, type ProxyServicePort, type ServiceTable, type ServiceTableUpdate } from "./proxy.js";

interface Flow {
  readonly to: string;
  readonly port: string;
  readonly answeredBy: string;
  readonly answeredFrom: string;
}

/** One flow as `conntrack -L` prints it: the way out first, then the way back. */
const flowPattern = /\bsrc=\S+ dst=(\S+) sport=\d+ dport=(\d+) .*?\bsrc=(\S+) dst=\S+ sport=(\d+) dport=\d+/;

/**
 * Ends UDP flows that the kernel remembers towards endpoints that a service no longer has, or towards none from when it had none:
 * packets of a known flow do not look at the rules again. TCP connections find out by themselves.
 */
export class ConntrackCleaner {
  readonly #exec: Exec;
  readonly #logger: Logger;
  #missing = false;

  #last: ServiceTable = { ports: new Map() };

  constructor(exec: Exec, logger: Logger = silentLogger) {
    this.#exec = exec;
    this.#logger = logger;
  }

  /** To be called with each table that the host follows now. */
  async follow({ table, changed }: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    const last = this.#last.ports;
    const now: ProxyServicePort[] = [];
    const removed: ProxyServicePort[] = [];
    for (const id of changed ?? new Set([...table.ports.keys(), ...last.keys()])) {
      const port = table.ports.get(id);
      const old = last.get(id);
      if (port?.protocol === "UDP") now.push(port);
      if (old !== undefined && old !== port && old.protocol === "UDP") removed.push(old);
    }
    if (now.length + removed.length > 0) await this.clean(now, removed, signal);
    this.#last = table;
  }

  /** `removed`: ports that are gone. Best effort: what fails is logged. */
  async clean(
    ports: Iterable<ProxyServicePort>,
    removed: Iterable<ProxyServicePort>,
    signal?: AbortSignal,
  ): Promise<void> {
    const fronts = new Map<string, Set<string>>();
    const nodePorts = new Map<string, Set<string>>();
    for (const port of removed) collect(port, fronts, nodePorts, false);
    for (const port of ports) collect(port, fronts, nodePorts, true);
    if (this.#missing || fronts.size === 0) return;
    const families = new Set([...fronts.keys()].map(familyOf));
    try {
      for (const family of families) {
        const { stdout } = await this.#exec("conntrack", ["-L", "-f", family, "-p", "udp"], { signal });
        for (const args of staleFlows(stdout, fronts, nodePorts)) {
          // Ends with 1 when the flow is gone already.
          await this.#exec("conntrack", ["-D", "-f", family, "-p", "udp", ...args], { signal });
        }
      }
    } catch (error) {
      if (signal?.aborted) throw error;
      this.#missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      const message = this.#missing
        ? "conntrack is not installed: UDP clients stay with removed endpoints until they are silent for a while"
        : "stale UDP flows could not be removed";
      this.#logger.warn(message, { error });
    }
  }
}

/** As conntrack calls it. */
function familyOf(text: string): "ipv4" | "ipv6" {
  return text.includes(":") ? "ipv6" : "ipv4";
}

function collect(
  port: ProxyServicePort,
  fronts: Map<string, Set<string>>,
  nodePorts: Map<string, Set<string>>,
  alive: boolean,
): void {
  if (port.protocol !== "UDP") return;
  const add = (map: Map<string, Set<string>>, key: string, traffic: "internal" | "external"): void => {
    const known = map.get(key) ?? new Set<string>();
    // A node's own clients and pods may use any endpoint whatever the policy: more is kept rather than less.
    const endpoints =
      traffic === "external" ? [...port.clusterEndpoints, ...port.localEndpoints] : endpointsFor(port, traffic);
    if (alive) for (const { ip, port: number } of endpoints) known.add(`${ip}\n${number}`);
    map.set(key, known);
  };
  add(fronts, `${port.clusterIP}\n${port.port}`, "internal");
  for (const ip of [...port.externalIPs, ...port.loadBalancerIPs]) add(fronts, `${ip}\n${port.port}`, "external");
  if (port.nodePort !== 0) add(nodePorts, `${familyOf(port.clusterIP)}\n${port.nodePort}`, "external");
}

function* staleFlows(
  text: string,
  fronts: ReadonlyMap<string, ReadonlySet<string>>,
  nodePorts: ReadonlyMap<string, ReadonlySet<string>>,
): Generator<readonly string[]> {
  const seen = new Set<string>();
  for (const line of text.split("\n")) {
    const match = flowPattern.exec(line);
    if (match === null) continue;
    const [, to = "", port = "", answeredBy = "", answeredFrom = ""] = match;
    const flow: Flow = { to, port, answeredBy, answeredFrom };
    const endpoints = fronts.get(`${flow.to}\n${flow.port}`) ?? nodePorts.get(`${familyOf(flow.to)}\n${flow.port}`);
    if (endpoints === undefined || endpoints.has(`${flow.answeredBy}\n${flow.answeredFrom}`)) continue;
    const key = [flow.to, flow.port, flow.answeredBy].join("\n");
    if (seen.has(key)) continue;
    seen.add(key);
    yield ["--orig-dst", flow.to, "--orig-port-dst", flow.port, "--reply-src", flow.answeredBy];
  }
}
