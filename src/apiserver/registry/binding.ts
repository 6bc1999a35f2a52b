import { notSupported, required } from "../../api/field-error.js";
import { type JsonObject, type KubeObject, type Pod, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import type { ServerRequest, ServerResult } from "../request.js";
import type { RegistryContext } from "./context.js";
import { isDryRun, strategyContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text } from "./metadata.js";
import type { Decision } from "./writer.js";

/** POST pods/NAME/binding, or bindings: puts a pod on a node, once. */
export async function bind(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const { now } = strategyContext(context, request);
  const binding = readBinding(request);
  const name = request.name ?? binding.name;
  const key = endpoint.keyOf(request.namespace, name);
  const mutate = (current: { readonly object: KubeObject }): Decision => {
    const object = bound(endpoint, current.object as unknown as JsonObject, name, binding, now);
    return isDryRun(request) ? { type: "keep" } : { type: "put", object };
  };
  await context.writer.update(endpoint, key, name, "create", mutate, request.signal);
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } as const;
  return { type: "object", code: 201, object: status };
}

interface BindingRequest {
  readonly name: string;
  readonly node: string;
  readonly uid: string;
  readonly annotations: JsonObject | undefined;
  readonly labels: JsonObject | undefined;
}

function readBinding(request: ServerRequest): BindingRequest {
  const body = isJsonObject(request.body) ? request.body : {};
  const metadata = metadataOf(body);
  const target = isJsonObject(body["target"]) ? body["target"] : {};
  const node = text(target["name"]);
  const kind = text(target["kind"]);
  const errors = [];
  if (kind !== "" && kind !== "Node") errors.push(notSupported("target.kind", kind, ["Node", "<empty>"]));
  if (node === "") errors.push(required("target.name"));
  const name = text(metadata["name"]);
  if (request.name !== undefined && name !== request.name) {
    throw statusErrors.badRequest("name in URL does not match name in Binding object");
  }
  if (errors.length > 0) {
    // Upstream gives these errors as they are, without making them a Status of their own.
    const lines = errors.map(({ path, message }) => `${path}: ${message}`);
    throw statusErrors.unclassified(lines.length === 1 ? (lines[0] ?? "") : `[${lines.join(", ")}]`);
  }
  const map = (value: unknown): JsonObject | undefined => (isJsonObject(value) ? value : undefined);
  return {
    name,
    node,
    uid: text(metadata["uid"]),
    annotations: map(metadata["annotations"]),
    labels: map(metadata["labels"]),
  };
}

function bound(endpoint: Endpoint, object: JsonObject, name: string, binding: BindingRequest, now: string): JsonObject {
  const pod = object as unknown as Pod;
  const refuse = (why: string): Error => statusErrors.conflict({ group: "", resource: "pods/binding" }, name, why);
  if (binding.uid !== "" && binding.uid !== pod.metadata.uid) {
    throw statusErrors.conflict(
      endpoint.description,
      name,
      `Precondition failed: UID in precondition: ${binding.uid}, UID in object meta: ${pod.metadata.uid}`,
    );
  }
  if (pod.metadata.deletionTimestamp !== undefined)
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName) throw refuse(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if ((pod.spec?.schedulingGates?.length ?? 0) > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  const { annotations, labels } = pod.metadata;
  const conditions = (pod.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
  const generation = pod.metadata.generation;
  // It was an expectation, which has come true or not.
  const { nominatedNodeName: _, ...status } = pod.status ?? {};
  return {
    ...object,
    metadata: {
      ...pod.metadata,
      ...(binding.annotations === undefined ? {} : { annotations: { ...annotations, ...binding.annotations } }),
      ...(binding.labels === undefined ? {} : { labels: { ...labels, ...binding.labels } }),
    },
    spec: { ...pod.spec, nodeName: binding.node },
    status: {
      ...status,
      conditions: [
        ...conditions,
        {
          type: "PodScheduled",
          status: "True",
          lastProbeTime: null,
          lastTransitionTime: now,
          ...(generation === undefined ? {} : { observedGeneration: generation }),
        },
      ],
    },
  };
}
