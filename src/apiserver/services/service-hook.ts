import { invalid } from "../../api/field-error.js";
import {
  type FieldError,
  type JsonObject,
  type Service,
  type ServicePort,
  type ServiceSpec,
  statusErrors,
} from "../../api/index.js";
import type { IpFamily } from "../../api/kinds/ip.js";
import type { Claim, WriteChange, WriteHook } from "../registry/context.js";
import type { ClusterIpAllocator, ServiceName } from "./cluster-ip-allocator.js";
import type { NodePortAllocator } from "./node-port-allocator.js";
import { decideFamilies } from "./service-families.js";

/** What a write has taken and what it will free once it is done. */
interface Claims {
  readonly ips: string[];
  readonly ports: number[];
}

/** Gives Services their families, cluster IPs and node ports before they are written, and takes them back when they go. */
export class ServiceHook implements WriteHook {
  readonly #ips: ClusterIpAllocator;
  readonly #ports: NodePortAllocator;

  constructor(ips: ClusterIpAllocator, ports: NodePortAllocator) {
    this.#ips = ips;
    this.#ports = ports;
  }

  async prepare({ object, old, dryRun }: WriteChange): Promise<Claim> {
    const taken: Claims = { ips: [], ports: [] };
    const service = object as unknown as Service;
    const before = old as unknown as Service | undefined;
    const undo = (): Promise<void> => this.#free(taken);
    if (service.spec === undefined) return { object, undo, settle: async () => {} };
    const decided = decideFamilies(service.spec, before?.spec, this.#ips.ranges.families);
    if ("errors" in decided) throw refused(service, decided.errors);
    try {
      const addressed = await this.#address(service, decided.spec, before?.spec, taken, dryRun);
      const spec = await this.#expose(service, addressed, before?.spec, taken, dryRun);
      const settle = async (): Promise<void> => {
        if (before?.spec !== undefined) await this.#free(unused(before.spec, spec));
      };
      return { object: { ...object, spec }, undo, settle };
    } catch (error) {
      await undo();
      throw error;
    }
  }

  async deleted(object: JsonObject): Promise<void> {
    const { spec } = object as unknown as Service;
    if (spec === undefined) return;
    await this.#free({ ips: clusterIps(spec).filter((ip) => this.#ips.ranges.has(ip)), ports: nodePorts(spec) });
  }

  async #free({ ips, ports }: Claims): Promise<void> {
    for (const ip of ips.splice(0)) await this.#ips.release(ip);
    await this.#ports.release(ports.splice(0));
  }

  /** Takes an address of each family that has none yet. What has an address keeps it, and validation refuses another one. */
  async #address(
    service: Service,
    spec: ServiceSpec,
    before: ServiceSpec | undefined,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServiceSpec> {
    if (spec.type === "ExternalName" || spec.clusterIP === "None") return spec;
    const families = (spec.ipFamilies ?? []) as readonly IpFamily[];
    const had = before === undefined || before.type === "ExternalName" ? 0 : (before.clusterIPs?.length ?? 0);
    if (had > 0 && (before?.clusterIP === "None" || before?.ipFamilies?.length !== 1 || families.length !== 2))
      return spec;
    const name: ServiceName = { namespace: service.metadata.namespace ?? "", name: service.metadata.name };
    const clusterIPs = families.map((_, index) => spec.clusterIPs?.[index] ?? "");
    for (const [index, family] of families.entries()) {
      if (index < had) continue;
      const wanted = clusterIPs[index] ?? "";
      const ip =
        wanted === ""
          ? await this.#ips.takeAny(family, name, dryRun)
          : await this.#takeIp(service, { wanted, family, clusterIPs }, name, dryRun);
      if (ip === undefined) throw statusErrors.internal("failed to allocate a serviceIP: range is full");
      if (!dryRun) taken.ips.push(ip);
      clusterIPs[index] = ip;
    }
    return { ...spec, clusterIP: clusterIPs[0] ?? "", clusterIPs };
  }

  async #takeIp(
    service: Service,
    {
      wanted,
      family,
      clusterIPs,
    }: { readonly wanted: string; readonly family: IpFamily; readonly clusterIPs: readonly string[] },
    name: ServiceName,
    dryRun: boolean,
  ): Promise<string> {
    const refuse = (why: string): Error =>
      refused(service, [invalid("spec.clusterIPs", clusterIPs, `failed to allocate IP ${wanted}: ${why}`)]);
    if (!this.#ips.ranges.ready(family).some((range) => range.contains(wanted))) {
      throw refuse("the provided network does not match the current range");
    }
    if (!(await this.#ips.take(wanted, name, dryRun))) throw refuse("provided IP is already allocated");
    return wanted;
  }

  async #expose(
    service: Service,
    spec: ServiceSpec,
    before: ServiceSpec | undefined,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServiceSpec> {
    const withPorts = await this.#exposePorts(service, spec, before, taken, dryRun);
    const needsCheck = spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
    const asked = spec.healthCheckNodePort || undefined;
    if (!needsCheck || (asked !== undefined && asked === before?.healthCheckNodePort)) return withPorts;
    const problem = asked === undefined ? undefined : await this.#takeExactly(asked, dryRun);
    if (problem !== undefined) {
      throw statusErrors.internal(`failed to allocate requested HealthCheck NodePort ${asked}: ${problem}`);
    }
    const healthCheckNodePort = asked ?? (await this.#ports.takeAny(dryRun));
    if (healthCheckNodePort === undefined) {
      throw statusErrors.internal("failed to allocate a HealthCheck NodePort 0: range is full");
    }
    if (!dryRun) taken.ports.push(healthCheckNodePort);
    return { ...withPorts, healthCheckNodePort };
  }

  async #exposePorts(
    service: Service,
    spec: ServiceSpec,
    before: ServiceSpec | undefined,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServiceSpec> {
    if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return spec;
    const given = spec.ports ?? [];
    const gives = spec.type === "NodePort" || spec.allocateLoadBalancerNodePorts !== false;
    const had = new Set(before === undefined ? [] : nodePorts(before));
    const ports: ServicePort[] = [];
    for (const [index, port] of given.entries()) {
      // One number may serve several protocols of one Service, whichever of them names it.
      const sibling = [...ports, ...given.slice(index + 1)].find(
        (other) => other.nodePort && other.port === port.port && other.protocol !== port.protocol,
      );
      const asked = port.nodePort || (gives ? sibling?.nodePort : undefined);
      const known = asked !== undefined && (had.has(asked) || ports.some(({ nodePort }) => nodePort === asked));
      if (known) ports.push({ ...port, nodePort: asked });
      else if (asked === undefined && !gives) ports.push(port);
      else ports.push(await this.#takePort(service, port, asked, index, taken, dryRun));
    }
    return { ...spec, ports };
  }

  async #takePort(
    service: Service,
    port: ServicePort,
    asked: number | undefined,
    index: number,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServicePort> {
    const path = `spec.ports[${index}].nodePort`;
    const problem = asked === undefined ? undefined : await this.#takeExactly(asked, dryRun);
    if (problem !== undefined) throw refused(service, [invalid(path, asked, problem)]);
    const nodePort = asked ?? (await this.#ports.takeAny(dryRun));
    if (nodePort === undefined) throw statusErrors.internal("failed to allocate a nodePort: range is full");
    if (!dryRun) taken.ports.push(nodePort);
    return { ...port, nodePort };
  }

  /** Undefined once it is taken, else why it cannot be. */
  async #takeExactly(port: number, dryRun: boolean): Promise<string | undefined> {
    const { from, to } = this.#ports.range;
    if (!this.#ports.contains(port)) {
      return `provided port is not in the valid range. The range of valid ports is ${from}-${to}`;
    }
    return (await this.#ports.take(port, dryRun)) ? undefined : "provided port is already allocated";
  }
}

/** What the old spec held and the new one does not. */
function unused(before: ServiceSpec, after: ServiceSpec): Claims {
  const ips = new Set(clusterIps(after));
  const ports = new Set(nodePorts(after));
  return {
    ips: clusterIps(before).filter((ip) => !ips.has(ip)),
    ports: nodePorts(before).filter((port) => !ports.has(port)),
  };
}

function refused(service: Service, errors: readonly FieldError[]): Error {
  return statusErrors.invalid("", "Service", service.metadata.name, errors);
}

export function clusterIps(spec: ServiceSpec): string[] {
  const all = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  return all.filter((ip) => ip !== "" && ip !== "None");
}

export function nodePorts(spec: ServiceSpec): number[] {
  const ports = (spec.ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : []));
  return spec.healthCheckNodePort ? [...ports, spec.healthCheckNodePort] : ports;
}
