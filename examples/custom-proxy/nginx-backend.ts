import type { ProxyBackend, ProxyServicePort } from "coxswain/proxy";

/** Describes every service to nginx's stream module. `write` puts the text where nginx reads it, and has it reload. */
export function nginxBackend(write: (config: string) => Promise<void>): ProxyBackend {
  return {
    name: "nginx",
    sync: ({ table }) => write([...table.ports.values()].map(block).sort().join("")),
    [Symbol.asyncDispose]: () => write(""),
  };
}

function block({ id, clusterIP, port, protocol, clusterEndpoints, affinitySeconds }: ProxyServicePort): string {
  if (clusterEndpoints.length === 0) return "";
  const name = id.replaceAll(/[^a-z0-9]/g, "_");
  const servers = clusterEndpoints.map((endpoint) => `  server ${endpoint.ip}:${endpoint.port};\n`).join("");
  const sticky = affinitySeconds === undefined ? "" : "  hash $remote_addr;\n";
  const listen = `${clusterIP}:${port}${protocol === "UDP" ? " udp" : ""}`;
  return `upstream ${name} {\n${sticky}${servers}}\nserver { listen ${listen}; proxy_pass ${name}; }\n`;
}
