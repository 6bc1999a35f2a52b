import { invalid } from "../../api/field-error.js";
import { type JsonObject, type KubeObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import type { ServerRequest, ServerResult } from "../request.js";
import type { RegistryContext } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text } from "./metadata.js";
import { applyPatch } from "./patch.js";
import { valueAt, withValueAt } from "./subtree.js";
import { modify } from "./update.js";

/** The scale subresource of any kind that says where its replicas are: get, update, patch. */
export async function scale(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  if (request.verb === "get") {
    const stored = await context.reader.get(endpoint, { ...request, subresource: undefined });
    return answer(endpoint, stored.object as unknown as JsonObject);
  }
  const paths = pathsOf(endpoint);
  const result = await modify(
    context,
    endpoint,
    request,
    async (old) => {
      const asked = request.verb === "patch" ? applyPatch(request, scaleOf(endpoint, old), undefined) : request.body;
      const replicas = readReplicas(request, asked);
      const version = isJsonObject(asked) ? text(metadataOf(asked)["resourceVersion"]) : "";
      const scaled = withValueAt(old, paths.specReplicas, replicas);
      return version === "" ? scaled : withValueAt(scaled, "metadata.resourceVersion", version);
    },
    { creates: false },
  );
  if (result.type === "list") return result;
  const object = result.type === "stored" ? result.stored.object : result.object;
  return answer(endpoint, object as unknown as JsonObject);
}

function answer(endpoint: Endpoint, object: JsonObject): ServerResult {
  return { type: "object", code: 200, object: scaleOf(endpoint, object) as unknown as KubeObject };
}

function pathsOf(endpoint: Endpoint): { specReplicas: string; statusReplicas: string; selector?: string } {
  const { scale: paths } = endpoint.description.strategy;
  if (paths === undefined) throw statusErrors.pathNotFound();
  return paths;
}

/** The object seen as an autoscaling/v1 Scale. */
function scaleOf(endpoint: Endpoint, object: JsonObject): JsonObject {
  const paths = pathsOf(endpoint);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadataOf(object);
  const selector = paths.selector === undefined ? undefined : selectorText(valueAt(object, paths.selector));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: valueAt(object, paths.specReplicas) ?? 0 },
    status: { replicas: valueAt(object, paths.statusReplicas) ?? 0, ...(selector === undefined ? {} : { selector }) },
  };
}

function selectorText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!isJsonObject(value)) return undefined;
  // A ReplicationController's selector is the bare map.
  const isSelector = "matchLabels" in value || "matchExpressions" in value || Object.keys(value).length === 0;
  return selectorFromLabelSelector(isSelector ? value : { matchLabels: value as { [key: string]: string } }).toString();
}

function readReplicas(request: ServerRequest, asked: unknown): number {
  const spec = isJsonObject(asked) ? asked["spec"] : undefined;
  const replicas = isJsonObject(spec) ? (spec["replicas"] ?? 0) : 0;
  if (typeof replicas === "number" && Number.isInteger(replicas) && replicas >= 0) return replicas;
  throw statusErrors.invalid("autoscaling", "Scale", request.name ?? "", [
    invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
  ]);
}
