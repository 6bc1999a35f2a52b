import type { Service, ServicePort } from "../../api/index.js";

/** The variables by which containers find Services that existed before them, in the documented docker-link style. */
export function serviceEnv(services: Iterable<Service>): Map<string, string> {
  const env = new Map<string, string>();
  for (const service of services) {
    const ip = service.spec?.clusterIP;
    if (!ip || ip === "None") continue;
    const ports = service.spec?.ports ?? [];
    const [first] = ports;
    if (first === undefined) continue;
    const name = envName(service.metadata.name);
    env.set(`${name}_SERVICE_HOST`, ip);
    env.set(`${name}_SERVICE_PORT`, String(first.port));
    for (const port of ports) if (port.name) env.set(`${name}_SERVICE_PORT_${envName(port.name)}`, String(port.port));
    for (const [index, port] of ports.entries()) addLink(env, name, ip, port, index === 0);
  }
  return env;
}

function addLink(env: Map<string, string>, name: string, ip: string, port: ServicePort, first: boolean): void {
  const protocol = port.protocol ?? "TCP";
  const host = ip.includes(":") ? `[${ip}]` : ip;
  const url = `${protocol.toLowerCase()}://${host}:${port.port}`;
  const prefix = `${name}_PORT_${port.port}_${protocol}`;
  if (first) env.set(`${name}_PORT`, url);
  env.set(prefix, url);
  env.set(`${prefix}_PROTO`, protocol.toLowerCase());
  env.set(`${prefix}_PORT`, String(port.port));
  env.set(`${prefix}_ADDR`, ip);
}

function envName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_").replaceAll(".", "_");
}

/** Of all Services those that a pod in `namespace` is told about: its own if it wants them, and always the API server's. */
export function servicesFor(services: Iterable<Service>, namespace: string, links: boolean): Service[] {
  const chosen: Service[] = [];
  for (const service of services) {
    const { name, namespace: of } = service.metadata;
    const master = of === "default" && name === "kubernetes";
    if (master || (links && of === namespace)) chosen.push(service);
  }
  return chosen;
}
