import {
  type DiscoveredResource,
  isStatusError,
  type KubeObject,
  type Namespace,
  type NamespaceCondition,
  namespaces,
  type Pod,
  pods,
  qualifiedResource,
  type ResourceType,
} from "../../api/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { setCondition } from "../shared/conditions.js";
import { type Discovery, discoverFrom } from "../shared/discovery.js";
import { messageOf } from "../shared/pod-control.js";
import { deleteExactly, getOrUndefined, writeStatus } from "../shared/write-status.js";

const finalizer = "kubernetes";
/** What is left says nothing when it goes, unless it is a pod; so it is looked at again. */
const lookAgainMs = 1_000;

/** Empties namespaces that are being deleted, and lets them go. */
export const namespaceController: Controller = defineStatefulController<Namespace>({
  name: "namespace-controller",
  aliases: ["namespace"],
  for: namespaces,
  concurrency: 10,
  prepare: (context, enqueue) => {
    const informer = context.informer(namespaces);
    const discovery = discoverFrom(context);
    context.informer(pods).addHandler({
      delete: ({ metadata: { namespace = "" } }) => {
        if (informer.get(namespace)?.metadata.deletionTimestamp !== undefined) enqueue(namespace);
      },
    });
    return async (key, reconcile) => {
      const namespace = informer.get(key);
      if (namespace?.metadata.deletionTimestamp === undefined) return;
      if (!(namespace.spec?.finalizers ?? []).includes(finalizer)) return;
      return empty(namespace, discovery, reconcile);
    };
  },
});

interface Remains {
  /** By resource. */
  readonly counts: Map<string, number>;
  readonly finalizers: Map<string, number>;
  readonly failures: string[];
  /** Group-versions of which it is not known what they have. */
  readonly undiscovered: readonly string[];
}

async function empty(
  cached: Namespace,
  discovery: Discovery,
  context: ReconcileContext,
): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const { client, signal } = context;
  let namespace = await getOrUndefined(client, namespaces, cached, signal);
  if (namespace === undefined || namespace.metadata.uid !== cached.metadata.uid) return undefined;
  if (namespace.status?.phase !== "Terminating") {
    const status = { ...namespace.status, phase: "Terminating" };
    namespace = (await writeStatus(client, namespaces, namespace, status, signal)) ?? namespace;
  }
  const undiscovered = await discovery.refresh(signal);
  const remains: Remains = { counts: new Map(), finalizers: new Map(), failures: [], undiscovered };
  const { name } = namespace.metadata;
  // Pods first: what they need to end well, secrets or a network policy, goes after them.
  const all = discovery.deletable().filter(({ namespaced }) => namespaced);
  const clearAll = (which: readonly DiscoveredResource[]): Promise<readonly number[]> =>
    Promise.all(which.map((resource) => clear(resource, name, remains, context)));
  const longestGraceMs = Math.max(0, ...(await clearAll(all.filter(isPods))));
  if (remains.counts.size === 0 && remains.failures.length === 0) {
    await clearAll(all.filter((resource) => !isPods(resource)));
  }
  if (remains.counts.size === 0 && remains.failures.length === 0 && undiscovered.length === 0) {
    await finalize(namespace, context);
    return undefined;
  }
  const conditions = conditionsOf(namespace.status?.conditions, remains, timestamp(context.clock));
  await writeStatus(client, namespaces, namespace, { ...namespace.status, conditions }, signal);
  const problems = [...remains.failures, ...undiscovered.map(staleness)];
  if (problems.length > 0) throw new Error(`cannot delete all of ${name}: ${problems.join(", ")}`);
  return { requeueAfterMs: Math.max(lookAgainMs, longestGraceMs / 2) };
}

/** Deletes all of a resource and counts what stays. Gives back the longest grace of pods. */
async function clear(
  resource: DiscoveredResource,
  namespace: string,
  remains: Remains,
  context: ReconcileContext,
): Promise<number> {
  const { client, signal } = context;
  const list = async (): Promise<readonly KubeObject[]> => (await client.list(resource, { namespace, signal })).items;
  try {
    let left = await list();
    if (left.length === 0) return 0;
    if (left.some(({ metadata }) => metadata.deletionTimestamp === undefined)) {
      // In the background, whatever the kind's own default: what depends on these goes with the namespace.
      await removeAll(resource, namespace, left, context);
      left = await list();
    }
    if (left.length > 0) remains.counts.set(nameOf(resource), left.length);
    for (const { metadata } of left) {
      for (const one of metadata.finalizers ?? []) remains.finalizers.set(one, (remains.finalizers.get(one) ?? 0) + 1);
    }
    return isPods(resource) ? graceMs(left) : 0;
  } catch (error) {
    // Not served here, or nobody may delete it: then there is nothing of it.
    if (isStatusError(error, "NotFound") || isStatusError(error, "MethodNotAllowed")) return 0;
    signal.throwIfAborted();
    remains.failures.push(`${nameOf(resource)}: ${messageOf(error)}`);
    return 0;
  }
}

async function removeAll(
  resource: DiscoveredResource,
  namespace: string,
  all: readonly KubeObject[],
  { client, signal }: ReconcileContext,
): Promise<void> {
  const deleteOptions = { propagationPolicy: "Background" } as const;
  if (resource.verbs.includes("deletecollection")) {
    await client.deleteCollection(resource, { namespace, deleteOptions, signal });
  } else {
    for (const object of all) await deleteExactly(client, resource, object, { ...deleteOptions, signal });
  }
}

function isPods({ group, resource }: ResourceType): boolean {
  return group === "" && resource === "pods";
}

/** As upstream's discovery says it. */
function staleness(groupVersion: string): string {
  return `${groupVersion}: stale GroupVersion discovery: ${groupVersion}`;
}

function graceMs(left: readonly KubeObject[]): number {
  return (left as readonly Pod[]).reduce(
    (most, { metadata }) => Math.max(most, (metadata.deletionGracePeriodSeconds ?? 0) * 1000),
    0,
  );
}

/** As upstream writes it: `pods.` for the core group. */
function nameOf(resource: ResourceType): string {
  return resource.group === "" ? `${resource.resource}.` : qualifiedResource(resource);
}

async function finalize(namespace: Namespace, { client, signal }: ReconcileContext): Promise<void> {
  const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== finalizer);
  try {
    await client.update(
      namespaces,
      { ...namespace, spec: { ...namespace.spec, finalizers } },
      { subresource: "finalize", signal },
    );
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}

function conditionsOf(
  before: readonly NamespaceCondition[] | undefined,
  { counts, finalizers, failures, undiscovered }: Remains,
  lastTransitionTime: string,
): readonly NamespaceCondition[] {
  const list = (entries: ReadonlyMap<string, number>, join: (name: string, count: number) => string): string =>
    [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => join(name, count))
      .join(", ");
  const remaining = list(counts, (name, count) => `${name} has ${count} resource instances`);
  const blocking = list(finalizers, (name, count) => `${name} in ${count} resource instances`);
  const states: readonly (readonly [type: string, reason: string, message: string, failed: boolean])[] = [
    undiscovered.length > 0
      ? [
          "NamespaceDeletionDiscoveryFailure",
          "DiscoveryFailed",
          `Discovery failed for some groups, ${undiscovered.length} failing: unable to retrieve the complete list of server APIs: ${undiscovered.map(staleness).join(", ")}`,
          true,
        ]
      : ["NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered", false],
    [
      "NamespaceDeletionGroupVersionParsingFailure",
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
      false,
    ],
    failures.length > 0
      ? [
          "NamespaceDeletionContentFailure",
          "ContentDeletionFailed",
          `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(", ")}`,
          true,
        ]
      : [
          "NamespaceDeletionContentFailure",
          "ContentDeleted",
          "All content successfully deleted, may be waiting on finalization",
          false,
        ],
    counts.size > 0
      ? ["NamespaceContentRemaining", "SomeResourcesRemain", `Some resources are remaining: ${remaining}`, true]
      : ["NamespaceContentRemaining", "ContentRemoved", "All content successfully removed", false],
    finalizers.size > 0
      ? [
          "NamespaceFinalizersRemaining",
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${blocking}`,
          true,
        ]
      : ["NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished", false],
  ];
  return states.reduce<readonly NamespaceCondition[]>(
    (all, [type, reason, message, failed]) =>
      setCondition(all, { type, status: failed ? "True" : "False", reason, message, lastTransitionTime }),
    before ?? [],
  );
}
