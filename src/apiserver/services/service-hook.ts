import { invalid } from "../../api/field-error.js";
import {
  type FieldError,
  type JsonObject,
  type Service,
  type ServicePort,
  type ServiceSpec,
  statusErrors,
} from "../../api/index.js";
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
    await this.#free({ ips: clusterIps(spec).filter((ip) => this.#ips.range.contains(ip)), ports: nodePorts(spec) });
  }

  async #free({ ips, ports }: Claims): Promise<void> {
    for (const ip of ips.splice(0)) await this.#ips.release(ip);
    await this.#ports.release(ports.splice(0));
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
    if (ip === undefined) {
      throw refused(service, [
        {
          path: "spec.clusterIPs",
          reason: "InternalError",
          message: "Internal error: failed to allocate a serviceIP: range is full",
        },
      ]);
    }
    if (!dryRun) taken.ips.push(ip);
    return { ...spec, clusterIP: ip, clusterIPs: [ip, ...(spec.clusterIPs ?? []).slice(1)] };
  }

  async #takeIp(service: Service, ip: string, name: ServiceName, dryRun: boolean): Promise<string> {
    if (!this.#ips.range.contains(ip)) {
      const why = `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${this.#ips.range.cidr}`;
      throw refused(service, [invalid("spec.clusterIPs", [ip], why)]);
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
    if (!wantsNodePorts(spec)) return spec;
    const had = new Set(before === undefined ? [] : nodePorts(before));
    const ports: ServicePort[] = [];
    for (const [index, port] of (spec.ports ?? []).entries()) {
      // One number may serve several protocols of one Service.
      const sibling = ports.find(
        (other) => other.nodePort !== undefined && other.port === port.port && other.protocol !== port.protocol,
      );
      const asked = port.nodePort || sibling?.nodePort;
      const known = asked !== undefined && (had.has(asked) || ports.some(({ nodePort }) => nodePort === asked));
      if (known) ports.push({ ...port, nodePort: asked });
      else ports.push(await this.#takePort(service, port, `spec.ports[${index}].nodePort`, taken, dryRun));
    }
    const wantsCheck =
      spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local" && !spec.healthCheckNodePort;
    if (!wantsCheck) return { ...spec, ports };
    const healthCheckNodePort = await this.#ports.takeAny(dryRun);
    if (healthCheckNodePort === undefined) return { ...spec, ports };
    if (!dryRun) taken.ports.push(healthCheckNodePort);
    return { ...spec, ports, healthCheckNodePort };
  }

  async #takePort(
    service: Service,
    port: ServicePort,
    path: string,
    taken: Claims,
    dryRun: boolean,
  ): Promise<ServicePort> {
    const { from, to } = this.#ports.range;
    const asked = port.nodePort;
    if (asked && !this.#ports.contains(asked)) {
      throw refused(service, [
        invalid(path, asked, `provided port is not in the valid range. The range of valid ports is ${from}-${to}`),
      ]);
    }
    if (asked && !(await this.#ports.take(asked, dryRun))) {
      throw refused(service, [invalid(path, asked, "provided port is already allocated")]);
    }
    const nodePort = asked || (await this.#ports.takeAny(dryRun));
    if (nodePort === undefined) {
      throw refused(service, [
        { path, reason: "InternalError", message: "Internal error: failed to allocate a nodePort: range is full" },
      ]);
    }
    if (!dryRun) taken.ports.push(nodePort);
    return { ...port, nodePort };
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

function wantsNodePorts(spec: ServiceSpec): boolean {
  return spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
}

export function clusterIps(spec: ServiceSpec): string[] {
  const all = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  return all.filter((ip) => ip !== "" && ip !== "None");
}

export function nodePorts(spec: ServiceSpec): number[] {
  const ports = (spec.ports ?? []).flatMap(({ nodePort }) => (nodePort ? [nodePort] : []));
  return spec.healthCheckNodePort ? [...ports, spec.healthCheckNodePort] : ports;
}
