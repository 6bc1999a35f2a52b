import { createHash } from "node:crypto";
import { contentStamp } from "../../api/gen/schemas.js";
import type { ResourceDescription } from "../../api/index.js";

/** Raise it with every change of how documents are made, so that clients do not keep old ones. */
const revision = 1;

export function hashOf(content: Buffer | string): string {
  return createHash("sha512").update(content).digest("hex").toUpperCase();
}

/**
 * A hash that changes whenever the document of these resources would, without making it. Built-in schemas are covered by the stamp of
 * what they were generated from, those of custom resources by their contents.
 */
export function fingerprint(descriptions: readonly ResourceDescription[], version: string): string {
  const facts = descriptions.map((description) => ({
    group: description.group,
    version: description.version,
    resource: description.resource,
    kind: description.kind,
    listKind: description.listKind,
    namespaced: description.namespaced,
    verbs: description.verbs,
    subresources: [...description.subresources.values()],
    schema: description.schema,
    ...(description.custom === true ? { selectableFields: [...description.selectableFields.keys()] } : {}),
  }));
  return hashOf(`${contentStamp} ${revision} ${version} ${JSON.stringify(facts, schemaReplacer())}`);
}

/** Writes Maps out, built-in definitions as their names, and each schema once, because they may be recursive. */
function schemaReplacer(): (key: string, value: unknown) => unknown {
  const seen = new Map<object, number>();
  return (_, value) => {
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Map) return [...value];
    if ("name" in value && typeof value.name === "string" && value.name.startsWith("io.k8s.")) return value.name;
    if (!("type" in value)) return value;
    const known = seen.get(value);
    if (known !== undefined) return `#${known}`;
    seen.set(value, seen.size);
    return value;
  };
}
