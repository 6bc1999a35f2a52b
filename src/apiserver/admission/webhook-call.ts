import { isIP } from "node:net";
import { exchange } from "../outbound/exchange.js";
import { allowedAddress, type Resolve, systemResolve } from "../proxy/address-policy.js";
import { webhookFailure } from "./webhook-failure.js";
import type { CallWebhook } from "./webhooks.js";

export interface HttpsWebhookOptions {
  /** Where a Service of the cluster is reached from here: its cluster IP, or one of its endpoints. Rejects when it is not. */
  readonly resolveService: (service: {
    readonly namespace: string;
    readonly name: string;
    readonly port: number;
  }) => Promise<{ readonly host: string; readonly port: number }>;
  /** Only where the cluster's services have addresses of this machine. */
  readonly allowLocalAddresses: boolean;
  readonly resolve?: Resolve;
  /** Absent: 3 MiB. */
  readonly responseLimitBytes?: number;
}

interface Place {
  /** As the webhook is called in its configuration. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number } | undefined;
}

/** Calls webhooks over HTTPS, each trusted by its own caBundle, with no redirect followed and a bounded answer. */
export function httpsWebhookCall(options: HttpsWebhookOptions): CallWebhook {
  return async (config, review, signal, timeoutSeconds) => {
    const place = placeOf(config);
    const authority = place.port === 443 && !place.service ? place.host : `${place.host}:${place.port}`;
    const path = timeoutSeconds === undefined ? place.path : withTimeout(place.path, timeoutSeconds);
    const body = Buffer.from(JSON.stringify(review));
    try {
      const { host, port } = place.service === undefined ? place : await options.resolveService(place.service);
      const address = await allowedAddress(host, options.allowLocalAddresses, options.resolve ?? systemResolve);
      const request = {
        host: address,
        port,
        path,
        method: "POST",
        ...(isIP(place.host) === 0 ? { servername: place.host } : {}),
        ...(config.caBundle ? { ca: Buffer.from(config.caBundle, "base64") } : {}),
        headers: {
          Host: authority,
          "Content-Type": "application/json",
          Accept: "application/json",
          "Content-Length": body.length,
        },
        signal,
      };
      const limitBytes = options.responseLimitBytes ?? 3 * 1024 * 1024;
      const { code, text } = await exchange({ ...request, body, limitBytes });
      if (code < 200 || code >= 300) return Promise.reject(new Error(webhookFailure(code, text)));
      return JSON.parse(text);
    } catch (cause) {
      const failure: unknown = signal.aborted ? signal.reason : cause;
      const why = failure instanceof Error ? failure.message : String(failure);
      throw new Error(`Post "https://${authority}${path}": ${why}`, { cause });
    }
  };
}

/** How long the webhook has is told to it, as upstream does. */
function withTimeout(path: string, seconds: number): string {
  return `${path}${path.includes("?") ? "&" : "?"}timeout=${seconds}s`;
}

function placeOf({ service, url }: Parameters<CallWebhook>[0]): Place {
  if (service !== undefined) {
    const { namespace, name, port = 443, path = "/" } = service;
    return { host: `${name}.${namespace}.svc`, port, path, service: { namespace, name, port } };
  }
  const parsed = new URL(url ?? "");
  if (parsed.protocol !== "https:") throw new Error(`webhook URL ${JSON.stringify(url)} is not https`);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(parsed.port || 443), path: parsed.pathname + parsed.search, service: undefined };
}
