import { invalid } from "../../api/field-error.js";
import {
  type FieldError,
  type JsonObject,
  type Service,
  type ServicePort,
  type ServiceSpec,
  statusErrors,
} from "../../api/index.js";
import { ipFamily } from "../../api/kinds/ip.js";
import type { Claim, WriteChange, WriteHook } from "../registry/context.js";
import type { ClusterIpAllocator, ServiceName } from "./cluster-ip-allocator.js";
import type { NodePortAllocator } from "./node-port-allocator.js";

/** What a write has taken and what it will free once it is done. */
interface Claims {
  readonly ips: string[];
  readonly ports: number[];
}

/** Gives Services their cluster IP and node ports before they are written, and takes them back when they go. */
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
    this.#checkFamilies(service, service.spec);
    try {
      const addressed = await this.#address(service, service.spec, before?.spec, taken, dryRun);
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

  /** The cluster has addresses of one family. Where nothing is allocated, a service may name what it wants. */
  #checkFamilies(service: Service, spec: ServiceSpec): void {
    if (spec.type === "ExternalName") return;
    const { ipFamilyPolicy: policy, ipFamilies = [], clusterIPs = [] } = spec;
    const errors: FieldError[] = [];
    const refuse = (path: string, value: unknown, why: string): void => void errors.push(invalid(path, value, why));
    if (policy === "SingleStack") {
      const why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
      if (clusterIPs.length === 2) refuse("spec.ipFamilyPolicy", policy, `${why} cluster IPs are specified`);
      if (ipFamilies.length === 2) refuse("spec.ipFamilyPolicy", policy, `${why} IP families are specified`);
    }
    const own = ipFamily(this.#ips.ranges.main.first);
    clusterIPs.forEach((ip, index) => {
      const family = ipFamily(ip);
      if (family === undefined || family === own) return;
      refuse(`spec.clusterIPs[${index}]`, clusterIPs, `${family} is not configured on this cluster`);
    });
    if (errors.length > 0) throw refused(service, errors);
    if (spec.clusterIP === "None" && Object.keys(spec.selector ?? {}).length === 0) return;
    if (policy === "RequireDualStack") {
      refuse("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services");
    }
    ipFamilies.forEach((family, index) => {
      const known = family === "IPv4" || family === "IPv6";
      if (known && family !== own) refuse(`spec.ipFamilies[${index}]`, family, "not configured on this cluster");
    });
    if (errors.length > 0) throw refused(service, errors);
  }

  async #address(
    service: Service,
    spec: ServiceSpec,
    before: ServiceSpec | undefined,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServiceSpec> {
    if (spec.type === "ExternalName" || spec.clusterIP === "None") return spec;
    const [had] = before === undefined ? [] : clusterIps(before);
    const wanted = spec.clusterIP ?? "";
    if (wanted !== "" && wanted === had) return spec;
    const name: ServiceName = { namespace: service.metadata.namespace ?? "", name: service.metadata.name };
    const ip =
      wanted === "" ? await this.#ips.takeAny(name, dryRun) : await this.#takeIp(service, wanted, name, dryRun);
    if (ip === undefined) throw statusErrors.internal("failed to allocate a serviceIP: range is full");
    if (!dryRun) taken.ips.push(ip);
    return { ...spec, clusterIP: ip, clusterIPs: [ip, ...(spec.clusterIPs ?? []).slice(1)] };
  }

  async #takeIp(service: Service, ip: string, name: ServiceName, dryRun: boolean): Promise<string> {
    if (!this.#ips.ranges.ready().some((range) => range.contains(ip))) {
      const why = "the provided network does not match the current range";
      throw refused(service, [invalid("spec.clusterIPs", [ip], `failed to allocate IP ${ip}: ${why}`)]);
    }
    if (!(await this.#ips.take(ip, name, dryRun))) {
      throw refused(service, [
        invalid("spec.clusterIPs", [ip], `failed to allocate IP ${ip}: provided IP is already allocated`),
      ]);
    }
    return ip;
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
