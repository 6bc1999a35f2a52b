import type { SubresourceDescription } from "../description.js";
import type { ResourceFacts } from "../gen/resources.js";

type Verbs = SubresourceDescription["verbs"];

/** What streams: the HTTP method decides the verb that is authorized, so discovery shows those. */
const stream: Verbs = ["connect", "create", "get"];
const proxy: Verbs = ["connect", "create", "delete", "get", "patch", "update"];

/** Subresources whose kind is not in any response, because it is only a set of query parameters. */
const connects: ReadonlyMap<string, { readonly kind: string; readonly verbs: Verbs }> = new Map([
  ["nodes/proxy", { kind: "NodeProxyOptions", verbs: proxy }],
  ["pods/attach", { kind: "PodAttachOptions", verbs: stream }],
  ["pods/exec", { kind: "PodExecOptions", verbs: stream }],
  ["pods/portforward", { kind: "PodPortForwardOptions", verbs: stream }],
  ["pods/proxy", { kind: "PodProxyOptions", verbs: proxy }],
  ["services/proxy", { kind: "ServiceProxyOptions", verbs: proxy }],
]);

/** Definition packages whose API group has another name. */
const groups: ReadonlyMap<string, string> = new Map([
  ["core", ""],
  ["authentication", "authentication.k8s.io"],
]);

export function builtinSubresources(facts: ResourceFacts): ReadonlyMap<string, SubresourceDescription> {
  return new Map(facts.subresources.map((subresource) => [subresource.name, describe(facts, subresource)]));
}

function describe(facts: ResourceFacts, subresource: ResourceFacts["subresources"][number]): SubresourceDescription {
  const { name, kind, definition } = subresource;
  const { group, version } = facts;
  const connect = connects.get(`${facts.resource}/${name}`);
  if (connect !== undefined) return { name, group, version, ...connect };
  // The verbs come from the paths of a published API; the type cannot say so.
  const verbs = subresource.verbs as Verbs;
  if (kind === undefined || definition === undefined) return { name, kind: facts.kind, group, version, verbs };
  const [prefix = "", kindVersion = ""] = definition.split(".");
  return { name, kind, group: groups.get(prefix) ?? prefix, version: kindVersion, verbs };
}
