import {
  isStatusError,
  type KubeObject,
  type New,
  type Pod,
  type PodTemplateSpec,
  pods,
  type ResourceType,
} from "../../api/index.js";
import { validateDns1123Subdomain } from "../../api/names.js";
import type { Client, EventRecorder } from "../../client/index.js";
import { controllerReference } from "./owners.js";

/** A pod as a template says, owned by `owner`. Without a name of its own it is named after the owner. */
export function podFromTemplate(owner: KubeObject, resource: ResourceType, template: PodTemplateSpec): New<Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const prefix = `${owner.metadata.name}-`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      generateName: validateDns1123Subdomain(`${prefix}a`).length > 0 ? owner.metadata.name : prefix,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner, resource)],
    },
    ...(template.spec === undefined ? {} : { spec: template.spec }),
  };
}

interface PodCall {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly owner: KubeObject;
  readonly signal: AbortSignal;
}

/** Creates a pod and says so in the owner's events. A namespace that is being deleted refuses without an event. */
export async function createPod({ client, events, owner, signal }: PodCall, pod: New<Pod>): Promise<Pod> {
  try {
    const created = await client.create(pods, pod, { signal });
    events.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
    return created;
  } catch (error) {
    if (!signal.aborted && !isNamespaceTerminating(error)) {
      events.event(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(error)}`);
    }
    throw error;
  }
}

/** Deletes a pod and says so; false when it was gone already. */
export async function deletePod({ client, events, owner, signal }: PodCall, pod: Pod): Promise<boolean> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(pods, { namespace, name }, { preconditions: { uid }, signal });
    events.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
    return true;
  } catch (error) {
    if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return false;
    if (!signal.aborted) events.event(owner, "Warning", "FailedDelete", `Error deleting: ${messageOf(error)}`);
    throw error;
  }
}

export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isStatusError(error, "Forbidden") &&
    (error.status.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating")
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
