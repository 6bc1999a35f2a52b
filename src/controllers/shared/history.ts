import {
  type Container,
  type ControllerRevision,
  controllerRevisions,
  type DownwardAPIVolumeFile,
  type EnvVar,
  isStatusError,
  type KubeObject,
  type PodTemplateSpec,
  type ResourceFieldSelector,
  type ResourceType,
  type Volume,
  type VolumeProjection,
} from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { canonicalJson, equalJson, stableHash } from "./hash.js";
import { controllerReference, isControlledBy } from "./owners.js";
import { deleteExactly, getOrUndefined } from "./write-status.js";

/**
 * What a revision keeps: a strategic merge patch that puts the whole template back. To the byte what upstream's controllers write, for
 * clients and controllers compare it with what they make of a template themselves: keys in order, and what Go never leaves out.
 */
export function revisionData(template: PodTemplateSpec): unknown {
  return JSON.parse(canonicalJson({ spec: { template: { ...asGoWrites(template), $patch: "replace" } } }));
}

/** The template with the structures that are no pointers in Go, and so are written even when they are empty. */
function asGoWrites({ metadata = {}, spec = { containers: [] }, ...others }: PodTemplateSpec): PodTemplateSpec {
  const { containers, initContainers, volumes } = spec;
  return {
    ...others,
    metadata,
    spec: {
      ...spec,
      containers: containers.map(container),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(container) }),
      ...(volumes === undefined ? {} : { volumes: volumes.map(volume) }),
    },
  };
}

function container({ resources = {}, env, ...others }: Container): Container {
  return { ...others, resources, ...(env === undefined ? {} : { env: env.map(variable) }) };
}

function variable(one: EnvVar): EnvVar {
  const { resourceFieldRef } = one.valueFrom ?? {};
  if (resourceFieldRef === undefined) return one;
  return { ...one, valueFrom: { ...one.valueFrom, resourceFieldRef: withDivisor(resourceFieldRef) } };
}

function withDivisor(field: ResourceFieldSelector): ResourceFieldSelector {
  return { divisor: "0", ...field };
}

function volume(one: Volume): Volume {
  const { downwardAPI, ephemeral, projected } = one;
  const claim = ephemeral?.volumeClaimTemplate;
  return {
    ...one,
    ...(downwardAPI?.items === undefined ? {} : { downwardAPI: withDivisors(downwardAPI) }),
    ...(projected?.sources === undefined
      ? {}
      : { projected: { ...projected, sources: projected.sources.map(source) } }),
    ...(claim === undefined
      ? {}
      : { ephemeral: { volumeClaimTemplate: { metadata: {}, ...claim, spec: { resources: {}, ...claim.spec } } } }),
  };
}

function source(one: VolumeProjection): VolumeProjection {
  return one.downwardAPI === undefined ? one : { ...one, downwardAPI: withDivisors(one.downwardAPI) };
}

function withDivisors<T extends { readonly items?: readonly DownwardAPIVolumeFile[] }>(files: T): T {
  const items = files.items?.map((item) =>
    item.resourceFieldRef === undefined ? item : { ...item, resourceFieldRef: withDivisor(item.resourceFieldRef) },
  );
  return items === undefined ? files : { ...files, items };
}

/** The template that a revision keeps. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { readonly spec?: { readonly template?: PodTemplateSpec & { $patch?: string } } };
  const { $patch: _, ...template } = data.spec?.template ?? {};
  return template;
}

/** Whether it keeps this very template, whoever wrote it and in whatever order. */
export function isOfTemplate(revision: ControllerRevision, template: PodTemplateSpec): boolean {
  return equalJson(revisionData(templateOf(revision)), revisionData(template));
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
  const same = history.filter((revision) => isOfTemplate(revision, template)).at(-1);
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
  const { name: ownerName, namespace, annotations } = owner.metadata;
  for (let collisions = collisionCount; ; collisions++) {
    const hash = stableHash(data, collisions === 0 ? undefined : collisions);
    const metadata = {
      name: `${ownerName}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      ...(annotations === undefined ? {} : { annotations }),
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
