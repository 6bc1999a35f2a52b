import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  isStatusError,
  type KubeObject,
  type New,
  namespaces,
  type ResourceType,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
} from "../../api/index.js";
import { bootstrapObjects } from "./bootstrap/objects.js";
import { uncoveredRules } from "./rule-cover.js";

/** The writes that bootstrapping needs; a Client has them. */
export interface RbacWriter {
  get<T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }): Promise<T>;
  list<T extends KubeObject>(resource: ResourceType<T>): Promise<{ readonly items: readonly T[] }>;
  create<T extends KubeObject>(resource: ResourceType<T>, object: New<T>): Promise<T>;
  update<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T>;
}

const autoupdate = "rbac.authorization.kubernetes.io/autoupdate";

/**
 * Makes every bootstrap role and binding that is missing, and gives back to those that exist what they lack of rules, labels,
 * annotations and subjects; what somebody added stays. One that is annotated `autoupdate: "false"` is left alone. Safe to run from several
 * servers at once. Roles within namespaces wait for their namespace: run it again, or make the namespaces first.
 */
export async function bootstrapRbac(writer: RbacWriter): Promise<void> {
  const objects = bootstrapObjects();
  await Promise.all([
    reconcileAll(writer, clusterRoles, objects.clusterRoles, mergeRole),
    reconcileAll(writer, clusterRoleBindings, objects.clusterRoleBindings, mergeBinding),
  ]);
  const there = new Set((await writer.list(namespaces)).items.map((namespace) => namespace.metadata.name));
  const present = <T extends { readonly metadata: { readonly namespace?: string } }>(all: readonly T[]): readonly T[] =>
    all.filter((object) => there.has(object.metadata.namespace ?? ""));
  await reconcileAll(writer, roles, present(objects.roles), mergeRole);
  await reconcileAll(writer, roleBindings, present(objects.roleBindings), mergeBinding);
}

async function reconcileAll<T extends KubeObject>(
  writer: RbacWriter,
  resource: ResourceType<T>,
  wanted: readonly New<T>[],
  merge: (existing: T, object: New<T>) => T,
): Promise<void> {
  const existing = new Map((await writer.list(resource)).items.map((object) => [keyOf(object), object]));
  await Promise.all(wanted.map((object) => reconcile(writer, resource, object, existing.get(keyOf(object)), merge)));
}

async function reconcile<T extends KubeObject>(
  writer: RbacWriter,
  resource: ResourceType<T>,
  wanted: New<T>,
  existing: T | undefined,
  merge: (existing: T, object: New<T>) => T,
): Promise<void> {
  for (let attempt = 0, current = existing; attempt < 5; attempt++) {
    try {
      if (current === undefined) {
        await writer.create(resource, wanted);
        return;
      }
      if (current.metadata.annotations?.[autoupdate] === "false") return;
      const merged = merge(current, wanted);
      if (merged !== current) await writer.update(resource, merged);
      return;
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists") && !isStatusError(error, "Conflict")) throw error;
      const { namespace, name = "" } = wanted.metadata;
      current = await writer.get(resource, namespace === undefined ? { name } : { namespace, name });
    }
  }
}

function keyOf(object: { readonly metadata: { readonly namespace?: string; readonly name?: string } }): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;
}

function mergeRole<T extends ClusterRole | Role>(existing: T, wanted: New<ClusterRole> | New<Role>): T {
  const metadata = mergeMetadata(existing, wanted);
  const aggregation = "aggregationRule" in wanted ? wanted.aggregationRule : undefined;
  if (aggregation !== undefined) {
    const same = "aggregationRule" in existing && existing.aggregationRule !== undefined;
    if (same && metadata === existing.metadata) return existing;
    return { ...existing, metadata, aggregationRule: aggregation };
  }
  const missing = uncoveredRules(existing.rules ?? [], wanted.rules ?? []);
  if (missing.length === 0 && metadata === existing.metadata) return existing;
  return { ...existing, metadata, rules: [...(existing.rules ?? []), ...missing] };
}

/** A roleRef cannot change: a binding of that name to another role is somebody's own, and is left alone. */
function mergeBinding<T extends ClusterRoleBinding | RoleBinding>(
  existing: T,
  wanted: New<ClusterRoleBinding> | New<RoleBinding>,
): T {
  if (existing.roleRef.kind !== wanted.roleRef.kind || existing.roleRef.name !== wanted.roleRef.name) return existing;
  const metadata = mergeMetadata(existing, wanted);
  const subjects = existing.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter(
    (one) =>
      !subjects.some(
        (other) =>
          other.kind === one.kind && other.name === one.name && (other.namespace ?? "") === (one.namespace ?? ""),
      ),
  );
  if (missing.length === 0 && metadata === existing.metadata) return existing;
  return { ...existing, metadata, subjects: [...subjects, ...missing] };
}

function mergeMetadata<T extends KubeObject>(existing: T, wanted: Pick<New<KubeObject>, "metadata">): T["metadata"] {
  const labels = addTo(existing.metadata.labels, wanted.metadata.labels);
  const annotations = addTo(existing.metadata.annotations, wanted.metadata.annotations);
  if (labels === existing.metadata.labels && annotations === existing.metadata.annotations) return existing.metadata;
  return { ...existing.metadata, ...(labels && { labels }), ...(annotations && { annotations }) };
}

type Words = { readonly [key: string]: string } | undefined;

function addTo(existing: Words, wanted: Words): Words {
  const lacking = Object.entries(wanted ?? {}).filter(([key, value]) => existing?.[key] !== value);
  return lacking.length === 0 ? existing : { ...existing, ...Object.fromEntries(lacking) };
}
