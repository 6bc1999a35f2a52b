import { invalid } from "../../api/field-error.js";
import { type JsonObject, type KubeObject, statusErrors } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import { builtinSchema } from "../../api/schema-table.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { applyConfiguration, checkText, layOver, requireManager } from "./apply.js";
import { acceptObject, placedObject } from "./body.js";
import type { RegistryContext } from "./context.js";
import { Endpoint } from "./endpoint.js";
import { metadataOf, text, withMetadata } from "./metadata.js";
import { applyPatch } from "./patch.js";
import { decodePatched } from "./patched.js";
import { valueAt, withValueAt } from "./subtree.js";
import { checkUid, modify } from "./update.js";

/** The scale subresource of any kind that says where its replicas are: get, update, patch. */
export async function scale(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  if (request.verb === "get") {
    const stored = await context.reader.get(endpoint, { ...request, subresource: undefined });
    const object = stored.object as unknown as JsonObject;
    const { specReplicas } = pathsOf(endpoint);
    if (endpoint.description.custom === true && typeof valueAt(object, specReplicas) !== "number") {
      throw statusErrors.internal(`the spec replicas field ${JSON.stringify(specReplicas)} does not exist`);
    }
    return answer(endpoint, object);
  }
  const scaled = request.patchType === "apply" ? applied(context, endpoint, request) : written(endpoint, request);
  const result = await modify(context, endpoint, request, async (old) => scaled(old), {
    creates: false,
    recordsManagers: request.patchType === "apply",
  });
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
  const replicas = valueAt(object, paths.specReplicas) ?? 0;
  const selector = paths.selector === undefined ? undefined : selectorText(valueAt(object, paths.selector));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
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

type Scaling = (old: JsonObject) => JsonObject;

/** A PUT of a Scale, or a patch of the one there is. */
function written(endpoint: Endpoint, request: ServerRequest): Scaling {
  const scales = scaleEndpoint(endpoint);
  const given = request.verb === "patch" ? undefined : acceptObject(scales, request, request.body);
  return (old) => {
    const asked =
      given ??
      placedObject(
        scales,
        request,
        decodePatched(scales, request, applyPatch(request, scaleOf(endpoint, old), scales.description.schema)),
      );
    checkUid(endpoint, request, asked, old);
    const replicas = readReplicas(request, asked);
    const version = text(metadataOf(asked)["resourceVersion"]);
    const changed = withValueAt(old, pathsOf(endpoint).specReplicas, replicas);
    return withMetadata(changed, { ...metadataOf(changed), resourceVersion: version });
  };
}

/** An apply of a Scale is one of the replicas where the object has them: so they are owned, and so they conflict. */
function applied(context: RegistryContext, endpoint: Endpoint, request: ServerRequest): Scaling {
  requireManager(request);
  const scale = applyConfiguration(request);
  const scales = scaleEndpoint(endpoint);
  const { name } = request;
  return (old) => {
    // Says what is wrong with the Scale as such.
    layOver(context, scales, request, { live: undefined, applied: scale });
    checkText(request);
    const placed = placedObject(scales, request, scale);
    const metadata = { ...metadataOf(placed), name };
    const bare: JsonObject = { apiVersion: endpoint.apiVersion, kind: endpoint.description.kind, metadata };
    const spec = scale["spec"];
    const wanted =
      isJsonObject(spec) && spec["replicas"] !== undefined
        ? withValueAt(bare, pathsOf(endpoint).specReplicas, readReplicas(request, scale))
        : bare;
    return layOver(context, endpoint, request, { live: old, applied: wanted });
  };
}

/** The endpoint as if it were one of Scales, for what is generic about reading them. */
function scaleEndpoint({ description, cache }: Endpoint): Endpoint {
  const { custom: _, indexedFields: __, ...own } = description;
  const schema = builtinSchema("autoscaling.v1.Scale");
  return new Endpoint({ ...own, group: "autoscaling", version: "v1", kind: "Scale", schema, strategy: {} }, cache);
}

function readReplicas(request: ServerRequest, asked: JsonObject): number {
  const spec = asked["spec"];
  const replicas = isJsonObject(spec) ? (spec["replicas"] ?? 0) : 0;
  if (typeof replicas === "number" && Number.isInteger(replicas) && replicas >= 0) return replicas;
  throw statusErrors.invalid("autoscaling", "Scale", request.name ?? "", [
    invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
  ]);
}
