import {
  type APIService,
  apiServices,
  type CustomResourceDefinition,
  type New,
  type ResourceDescription,
} from "../../api/index.js";
import { builtinPriority, customPriority, type Priority } from "../discovery/priorities.js";

/** How the server looks after an APIService that it made: it is brought in line when the server starts, or at all times. */
export type Managed = "onstart" | "true";

export const managedLabel = "kube-aggregator.kubernetes.io/automanaged";

export interface WantedService {
  readonly managed: Managed;
  readonly object: New<APIService>;
}

/** The APIServices that stand for what this server serves itself, by name. The group of APIServices themselves has none, as upstream. */
export function wantedServices(
  builtin: readonly ResourceDescription[],
  definitions: readonly CustomResourceDefinition[],
): ReadonlyMap<string, WantedService> {
  const wanted = new Map<string, WantedService>();
  for (const { group, version, custom } of builtin) {
    const priority = custom === true || group === apiServices.group ? undefined : builtinPriority(group, version);
    if (priority !== undefined) add(wanted, group, version, "onstart", priority);
  }
  for (const { spec, status } of definitions) {
    const established = status?.conditions?.some((one) => one.type === "Established" && one.status === "True");
    if (established !== true) continue;
    for (const { name, served } of spec.versions) if (served) add(wanted, spec.group, name, "true", customPriority);
  }
  return wanted;
}

function add(
  wanted: Map<string, WantedService>,
  group: string,
  version: string,
  managed: Managed,
  priority: Priority,
): void {
  const name = `${version}.${group}`;
  if (wanted.has(name)) return;
  const metadata = { name, labels: { [managedLabel]: managed } };
  const spec = { group, version, groupPriorityMinimum: priority.group, versionPriority: priority.version };
  wanted.set(name, {
    managed,
    object: { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata, spec },
  });
}
