import {
  type ControllerRevision,
  controllerRevisions,
  isStatusError,
  type KubeObject,
  type PodTemplateSpec,
  type ResourceType,
} from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { canonicalJson, equalJson, stableHash } from "./hash.js";
import { controllerReference, isControlledBy } from "./owners.js";
import { deleteExactly, getOrUndefined } from "./write-status.js";

/** What a revision keeps: a strategic merge patch that puts the whole template back. */
export function revisionData(template: PodTemplateSpec): unknown {
  return { spec: { template: { ...template, $patch: "replace" } } };
}

/** The template that a revision keeps. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { readonly spec?: { readonly template?: PodTemplateSpec & { $patch?: string } } };
  const { $patch: _, ...template } = data.spec?.template ?? {};
  return template;
}

/** Oldest first. */
export function inRevisionOrder(revisions: Iterable<ControllerRevision>): readonly ControllerRevision[] {
  return [...revisions].sort((a, b) => a.revision - b.revision || (a.metadata.name < b.metadata.name ? -1 : 1));
}

export interface HistoryOptions {
  readonly client: Client;
  readonly owner: KubeObject;
  readonly ownerResource: ResourceType;
  readonly template: PodTemplateSpec;
  readonly hashLabel: string;
  readonly collisionCount: number;
  readonly signal: AbortSignal;
}

/**
 * The revision of the present template: one that is there, with the highest number, or a new one. `collisions` is to be kept in
 * the owner's status: how many names other templates had taken.
 */
export async function currentRevision(
  options: HistoryOptions,
  history: readonly ControllerRevision[],
): Promise<{ readonly revision: ControllerRevision; readonly collisions: number }> {
  const { client, template, signal } = options;
  const data = revisionData(template);
  const next = (history.at(-1)?.revision ?? 0) + 1;
  const same = history.filter((revision) => equalJson(revision.data, data)).at(-1);
  if (same === undefined) return create(options, data, next);
  const { collisionCount: collisions } = options;
  if (same === history.at(-1)) return { revision: same, collisions };
  return { revision: await client.update(controllerRevisions, { ...same, revision: next }, { signal }), collisions };
}

async function create(
  { client, owner, ownerResource, template, hashLabel, collisionCount, signal }: HistoryOptions,
  data: unknown,
  number: number,
): Promise<{ readonly revision: ControllerRevision; readonly collisions: number }> {
  const { name: ownerName, namespace } = owner.metadata;
  for (let collisions = collisionCount; ; collisions++) {
    const hash = stableHash(JSON.parse(canonicalJson(data)), collisions === 0 ? undefined : collisions);
    const metadata = {
      name: `${ownerName}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      ownerReferences: [controllerReference(owner, ownerResource)],
    };
    const wanted = { apiVersion: "apps/v1", kind: "ControllerRevision", metadata, data, revision: number } as const;
    try {
      return { revision: await client.create(controllerRevisions, wanted, { signal }), collisions };
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists")) throw error;
      const found = await getOrUndefined(client, controllerRevisions, { metadata }, signal);
      // Made just now, and not seen yet.
      if (found !== undefined && equalJson(found.data, data) && isControlledBy(found, owner))
        return { revision: found, collisions };
    }
  }
}

/** Deletes the oldest revisions beyond `limit` that no pod has and that are not `live`. */
export async function truncateHistory(
  client: Client,
  history: readonly ControllerRevision[],
  live: (revision: ControllerRevision) => boolean,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const dead = history.filter((revision) => !live(revision));
  for (const revision of dead.slice(0, Math.max(0, dead.length - limit))) {
    await deleteExactly(client, controllerRevisions, revision, { signal });
  }
}
