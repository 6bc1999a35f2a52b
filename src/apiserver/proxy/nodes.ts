import { type Node, nodes, statusErrors } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import type { Target } from "./dial.js";

const defaultPort = 10250;
const defaultAddressTypes = ["InternalIP", "ExternalIP", "Hostname"] as const;

/** Where a node's agent is. Throws StatusError where that cannot be known. */
export type ConnectNode = (node: Node) => Target;

/** By the addresses that the node reports of itself, by preference of type. */
export function reportedNodeTarget(types: readonly string[] = defaultAddressTypes): ConnectNode {
  return (node) => {
    const addresses = node.status?.addresses ?? [];
    const name = node.metadata.name ?? "";
    for (const type of types) {
      const found = addresses.find((address) => address.type === type && address.address !== "");
      if (found === undefined) continue;
      const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultPort;
      return { host: found.address, port, tls: { serverName: name, authenticate: true } };
    }
    throw statusErrors.internal(`no preferred addresses found; known addresses: ${JSON.stringify(addresses)}`);
  };
}

export function nodeTarget(cache: CacheReader, name: string, connectNode: ConnectNode): Target {
  const node = cache.get(nodes, { name });
  if (node === undefined) throw statusErrors.notFound({ group: "", resource: "nodes" }, name);
  return connectNode(node);
}
