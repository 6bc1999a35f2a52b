import type { JsonObject } from "../../api/index.js";
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

type ReviewVersion = "v1" | "v1beta1";

/** Conversion through webhooks: one ConversionReview for all objects of a request, in the first version of the webhook's that is known here. */
export function conversionWebhook({
  call,
  clock,
  random,
  timeoutMs = 30_000,
}: ConversionWebhookOptions): ConvertObjects {
  return async (webhook, objects, apiVersion, signal) => {
    const version = webhook.conversionReviewVersions?.find(isReviewVersion);
    if (version === undefined) throw new Error("no supported conversion review versions");
    const uid = uuid(random);
    const review = {
      kind: "ConversionReview",
      apiVersion: apiVersionOf(version),
      request: { uid, desiredAPIVersion: apiVersion, objects },
    };
    const timeout = new AbortController();
    const timer = clock.setTimeout(() => timeout.abort(new Error("context deadline exceeded")), timeoutMs);
    try {
      const signals = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
      // Validated when the definition was written: one of url and service is there.
      const config = webhook.clientConfig as Parameters<CallWebhook>[0];
      return readResponse(await call(config, review, signals), uid, version);
    } finally {
      timer.cancel();
    }
  };
}

function readResponse(answer: unknown, uid: string, version: ReviewVersion): readonly JsonObject[] {
  const review = isJsonObject(answer) ? answer : {};
  const { apiVersion = "", kind = "", response } = review;
  // Of the beta version upstream never looked at more than the result.
  const strict = version === "v1";
  if (strict && (apiVersion !== apiVersionOf(version) || kind !== "ConversionReview")) {
    const wanted = `${apiVersionOf(version)}, Kind=ConversionReview`;
    throw new Error(`expected webhook response of ${wanted}, got ${apiVersion}, Kind=${kind}`);
  }
  if (!isJsonObject(response)) throw new Error("no response provided");
  if (strict && response["uid"] !== uid) {
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response["uid"] ?? "")}`);
  }
  const { status = "", message } = isJsonObject(response["result"]) ? response["result"] : {};
  if (status !== "Success") {
    const why = `response.result.status was '${status}', not 'Success'`;
    throw new Error(typeof message === "string" && message !== "" ? message : why);
  }
  const converted = response["convertedObjects"];
  return Array.isArray(converted) ? (converted as readonly JsonObject[]) : [];
}

function isReviewVersion(version: string): version is ReviewVersion {
  return version === "v1" || version === "v1beta1";
}

function apiVersionOf(version: ReviewVersion): string {
  return `apiextensions.k8s.io/${version}`;
}
