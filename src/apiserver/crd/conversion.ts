import type { Definition } from "../../api/custom/describe.js";
import { type JsonObject, StatusError, type VersionedStorage } from "../../api/index.js";
import { isJsonObject, type MutableJsonObject } from "../../api/json-value.js";
import type { ConvertFunction } from "./custom-resources.js";

type Webhook = NonNullable<NonNullable<NonNullable<Definition["spec"]>["conversion"]>["webhook"]>;

/** Converts objects through the webhook of a definition. Rejects with an Error that says why it could not. */
export type ConvertObjects = (
  webhook: Webhook,
  objects: readonly JsonObject[],
  apiVersion: string,
  signal: AbortSignal | undefined,
) => Promise<readonly JsonObject[]>;

/** How objects of a definition come from one version to another; undefined where only apiVersion is rewritten. */
export function conversionOf(
  definition: Definition,
  inProcess: ConvertFunction | undefined,
  webhook: ConvertObjects | undefined,
): VersionedStorage["convert"] {
  const { conversion } = definition.spec ?? {};
  if (inProcess !== undefined) {
    return async (objects, apiVersion) =>
      objects.map((object) =>
        object["apiVersion"] === apiVersion ? object : settled(object, inProcess(object, apiVersion), apiVersion),
      );
  }
  if (conversion?.strategy !== "Webhook" || conversion.webhook === undefined) return undefined;
  const config = conversion.webhook;
  return async (objects, apiVersion, signal) => {
    const foreign = objects.filter((object) => object["apiVersion"] !== apiVersion);
    if (foreign.length === 0) return objects;
    const converted = await ask(definition, webhook, { config, objects: foreign, apiVersion, signal });
    const results = new Map(foreign.map((object, index) => [object, settled(object, converted[index], apiVersion)]));
    return objects.map((object) => results.get(object) ?? object);
  };
}

interface Question {
  readonly config: Webhook;
  readonly objects: readonly JsonObject[];
  readonly apiVersion: string;
  readonly signal: AbortSignal | undefined;
}

async function ask(
  definition: Definition,
  webhook: ConvertObjects | undefined,
  { config, objects, apiVersion, signal }: Question,
): Promise<readonly JsonObject[]> {
  try {
    if (webhook === undefined) throw new Error("this server calls no conversion webhooks");
    return await webhook(config, objects, apiVersion, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    const kind = definition.spec?.names?.kind ?? "";
    const from = String(objects[0]?.["apiVersion"] ?? "");
    const why = cause instanceof Error ? cause.message : String(cause);
    throw failed(`conversion webhook for ${from}, Kind=${kind} failed: ${why}`, cause);
  }
}

/** A converter may change everything but who the object is: of metadata only labels and annotations. */
function settled(object: JsonObject, converted: JsonObject | undefined, apiVersion: string): JsonObject {
  if (!isJsonObject(converted) || converted["kind"] !== object["kind"]) {
    throw failed(`conversion webhook for ${String(object["apiVersion"])} returned an object of another kind`);
  }
  if (converted["apiVersion"] !== apiVersion) {
    throw failed(
      `conversion webhook for ${String(object["apiVersion"])} returned invalid converted object: expected apiVersion ${apiVersion}, got ${String(converted["apiVersion"])}`,
    );
  }
  const metadata: MutableJsonObject = { ...(isJsonObject(object["metadata"]) ? object["metadata"] : {}) };
  const given = isJsonObject(converted["metadata"]) ? converted["metadata"] : {};
  for (const field of ["labels", "annotations"]) {
    if (given[field] === undefined) delete metadata[field];
    else metadata[field] = given[field];
  }
  return { ...converted, metadata };
}

function failed(message: string, cause?: unknown): StatusError {
  return new StatusError(
    {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason: "InternalError",
      details: { causes: [{ message }] },
      code: 500,
    },
    { cause },
  );
}
