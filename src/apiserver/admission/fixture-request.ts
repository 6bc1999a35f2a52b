import type { JsonObject } from "../../api/index.js";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.js";

export function request(object: JsonObject | undefined, more: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const warnings: string[] = [];
  return {
    group: "",
    version: "v1",
    resource: "pods",
    kind: "Pod",
    subresource: "",
    namespace: "a",
    name: "web",
    operation: "CREATE",
    user: { username: "jane", groups: [] },
    object,
    oldObject: undefined,
    options: {},
    dryRun: false,
    warn: (text) => warnings.push(text),
    ...more,
  };
}

export function pod(spec: object = {}, metadata: object = {}): JsonObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "a", ...metadata },
    spec: { containers: [{ name: "c" }], ...spec },
  };
}

export async function admit(plugin: AdmissionPlugin, asked: AdmissionRequest): Promise<JsonObject> {
  if (plugin.handles !== undefined && !plugin.handles(asked)) return asked.object ?? {};
  return (await plugin.admit?.(asked)) ?? asked.object ?? {};
}

export async function outcome(act: () => unknown): Promise<string> {
  try {
    await act();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
