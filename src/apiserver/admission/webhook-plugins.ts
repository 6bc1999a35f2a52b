import { type Namespace, services } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import { applyJsonPatch } from "../../api/patch/json-patch.js";
import type { Random } from "../../internal/random.js";
import type { Authorizer } from "../authz/authorizer.js";
import { serviceTarget } from "../proxy/resource-proxy.js";
import type { ApiServer } from "../server.js";
import type { AdmissionPlugin, CacheReader } from "./admission.js";
import { equivalentResources, objectConverter } from "./equivalents.js";
import { lazyEnvironments } from "./policies/policy-deps.js";
import { settler } from "./settle.js";
import type { HttpsWebhookOptions } from "./webhook-call.js";
import { type CallWebhook, mutatingWebhooks, validatingWebhooks } from "./webhooks.js";

export interface AdmissionWebhooksOptions {
  /** Absent: over HTTPS. */
  readonly call?: CallWebhook | undefined;
  /** Webhooks may be on this machine. */
  readonly allowLocalAddresses: boolean;
  /** Whom match conditions ask. Absent: everything is allowed, as on a server without one. */
  readonly authorizer?: Authorizer | undefined;
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
}

/** Admission by the webhooks that objects of the server ask for. */
export function admissionWebhooks(server: ApiServer, options: AdmissionWebhooksOptions): readonly AdmissionPlugin[] {
  const { cacheReader: cache, clock, random, logger } = server;
  const {
    allowLocalAddresses,
    call = lazyCall({ resolveService: serviceResolver(cache, random), allowLocalAddresses }),
  } = options;
  const deps = {
    cache,
    clock,
    random,
    logger,
    call,
    authorizer: options.authorizer,
    liveNamespace: options.liveNamespace,
    environments: lazyEnvironments(),
    equivalents: equivalentResources(server),
    convert: objectConverter(server),
  };
  return [
    mutatingWebhooks({
      ...deps,
      applyPatch(object, patch) {
        const patched = applyJsonPatch(object, patch);
        if (!isJsonObject(patched)) throw new Error("the patched object is none");
        return patched;
      },
      settle: settler(server, { strict: false }),
    }),
    validatingWebhooks(deps),
  ];
}

/** Where a Service of the cluster answers: one of its endpoints, so that the server needs no way to cluster IPs. */
export function serviceResolver(cache: CacheReader, random: Random): HttpsWebhookOptions["resolveService"] {
  return async ({ namespace, name, port }) => {
    const service = cache.get(services, { namespace, name });
    if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
    const { type, externalName } = service.spec ?? {};
    if (type === "ExternalName" && externalName) return { host: externalName, port };
    try {
      return serviceTarget(service, { scheme: "https", name, port: String(port) }, { cache, random });
    } catch (cause) {
      // No answer of ours to who writes, but a failure of the webhook's.
      throw new Error(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  };
}

/** Loaded with the first call: most servers of tests never make one. */
function lazyCall(options: HttpsWebhookOptions): CallWebhook {
  let call: Promise<CallWebhook> | undefined;
  return async (...args) => {
    call ??= import("./webhook-call.js").then(({ httpsWebhookCall }) => httpsWebhookCall(options));
    return (await call)(...args);
  };
}
