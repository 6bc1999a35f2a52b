import { forbidden } from "../../api/field-error.js";
import { type Namespace, type ResourceClaim, type ResourceClaimTemplate, statusErrors } from "../../api/index.js";
import type { Claim, WriteChange, WriteHook } from "./context.js";

const group = "resource.k8s.io";
const label = "resource.kubernetes.io/admin-access";

type NamespaceSource = ((name: string) => Promise<Namespace | undefined>) | undefined;

/**
 * Claims to devices that others use too are for namespaces which whoever runs the cluster has marked. What a claim asks for never
 * changes, so that only new ones are looked at.
 */
export function adminAccessHooks(namespace: NamespaceSource): ReadonlyMap<string, WriteHook> {
  const hook = { prepare: (change: WriteChange) => prepare(change, namespace) };
  return new Map([
    [`${group}/resourceclaims`, hook],
    [`${group}/resourceclaimtemplates`, hook],
  ]);
}

const nothing = async (): Promise<void> => {};

async function prepare({ object, old }: WriteChange, namespace: NamespaceSource): Promise<Claim> {
  const claim = { object, undo: nothing, settle: nothing };
  if (old !== undefined) return claim;
  const { kind, metadata, spec } = object as unknown as ResourceClaim | ResourceClaimTemplate;
  const { devices } = "spec" in spec ? spec.spec : spec;
  const index = devices?.requests?.findIndex(({ exactly }) => exactly?.adminAccess === true) ?? -1;
  if (index < 0) return claim;
  const found = await namespace?.(metadata?.namespace ?? "");
  if (found?.metadata.labels?.[label] === "true") return claim;
  const why = `admin access to devices requires the \`${label}: true\` label on the containing namespace`;
  throw statusErrors.invalid(group, kind, metadata?.name ?? "", [
    forbidden(`spec.devices.requests[${index}].adminAccess`, why),
  ]);
}
