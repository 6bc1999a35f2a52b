import { type JsonObject, parseApiVersion } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import type { Clock } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import type { CallWebhook } from "../admission/webhooks.js";
import type { ConvertObjects } from "./conversion.js";

export interface ConversionWebhookOptions {
  /** How webhooks are reached, as for admission: `httpsWebhookCall`. */
  readonly call: CallWebhook;
  readonly clock: Clock;
  readonly random: Random;
  /** Upstream's is 30 s. */
  readonly timeoutMs?: number;
}

/** Conversion through webhooks: one ConversionReview v1 for all objects of a request. */
export function conversionWebhook({
  call,
  clock,
  random,
  timeoutMs = 30_000,
}: ConversionWebhookOptions): ConvertObjects {
  return async (webhook, objects, apiVersion, signal) => {
    if (webhook.conversionReviewVersions?.includes("v1") !== true) {
      throw new Error("no ConversionReview version that this server knows is accepted by the webhook");
    }
    const uid = uuid(random);
    const review = {
      kind: "ConversionReview",
      apiVersion: "apiextensions.k8s.io/v1",
      request: { uid, desiredAPIVersion: apiVersion, objects },
    };
    const timeout = new AbortController();
    const timer = clock.setTimeout(() => timeout.abort(new Error("context deadline exceeded")), timeoutMs);
    try {
      const signals = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
      // Validated when the definition was written: one of url and service is there.
      const config = webhook.clientConfig as Parameters<CallWebhook>[0];
      return readResponse(await call(config, review, signals), uid, objects.length, apiVersion);
    } finally {
      timer.cancel();
    }
  };
}

function readResponse(answer: unknown, uid: string, count: number, apiVersion: string): readonly JsonObject[] {
  const response = isJsonObject(answer) ? answer["response"] : undefined;
  if (!isJsonObject(response)) throw new Error("invalid response: no response");
  if (response["uid"] !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}`);
  const result = isJsonObject(response["result"]) ? response["result"] : {};
  if (result["status"] !== "Success") {
    const message = typeof result["message"] === "string" && result["message"] !== "" ? result["message"] : undefined;
    throw new Error(message ?? `result.status was ${JSON.stringify(result["status"] ?? "")}, not "Success"`);
  }
  const converted = response["convertedObjects"];
  if (!Array.isArray(converted) || converted.length !== count) {
    const given = Array.isArray(converted) ? converted.length : 0;
    throw new Error(`webhook returned ${given} objects, expected ${count}`);
  }
  for (const object of converted) {
    if (
      isJsonObject(object) &&
      parseApiVersion(String(object["apiVersion"])).group === parseApiVersion(apiVersion).group
    )
      continue;
    throw new Error("webhook returned an object of another group");
  }
  return converted as readonly JsonObject[];
}
