import type { JsonObject } from "../../../src/api/index.js";

type Fields = { readonly [field: string]: unknown };

export function metadataOf(object: unknown): JsonObject {
  return ((object as { metadata?: JsonObject }).metadata ?? {}) as JsonObject;
}

export function configMap(name: string, { metadata, ...rest }: Fields & { metadata?: object } = {}): Fields {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { ...(name === "" ? {} : { name }), ...metadata }, ...rest };
}

export function deployment(name: string, { metadata, spec }: { metadata?: object; spec?: object } = {}): Fields {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: "main", image: "main:1" }] } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, ...metadata },
    spec: { selector: { matchLabels: labels }, template, ...spec },
  };
}
