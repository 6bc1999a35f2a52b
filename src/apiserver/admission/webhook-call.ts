import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { allowedAddress, type Resolve, systemResolve } from "../proxy/address-policy.js";
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

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly serverName: string;
}

/** Calls webhooks over HTTPS, each trusted by its own caBundle, with no redirect followed and a bounded answer. */
export function httpsWebhookCall(options: HttpsWebhookOptions): CallWebhook {
  return async (config, review, signal, timeoutSeconds) => {
    const { host, port, path, serverName } = await endpointOf(options, config);
    const address = await allowedAddress(host, options.allowLocalAddresses, options.resolve ?? systemResolve);
    const body = Buffer.from(JSON.stringify(review));
    const text = await post(
      {
        host: address,
        port,
        path: timeoutSeconds === undefined ? path : withTimeout(path, timeoutSeconds),
        method: "POST",
        ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
        ...(config.caBundle ? { ca: Buffer.from(config.caBundle, "base64") } : {}),
        headers: {
          Host: port === 443 ? serverName : `${serverName}:${port}`,
          "Content-Type": "application/json",
          Accept: "application/json",
          "Content-Length": body.length,
        },
        signal,
      },
      body,
      options.responseLimitBytes ?? 3 * 1024 * 1024,
    );
    return JSON.parse(text);
  };
}

/** How long the webhook has is told to it, as upstream does. */
function withTimeout(path: string, seconds: number): string {
  return `${path}${path.includes("?") ? "&" : "?"}timeout=${seconds}s`;
}

async function endpointOf(options: HttpsWebhookOptions, config: Parameters<CallWebhook>[0]): Promise<Endpoint> {
  const { service, url } = config;
  if (service !== undefined) {
    const { namespace, name, port = 443, path = "/" } = service;
    const found = await options.resolveService({ namespace, name, port });
    return { ...found, path, serverName: `${name}.${namespace}.svc` };
  }
  const parsed = new URL(url ?? "");
  if (parsed.protocol !== "https:") throw new Error(`webhook URL ${JSON.stringify(url)} is not https`);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(parsed.port || 443), path: parsed.pathname + parsed.search, serverName: host };
}

function post(options: Parameters<typeof httpsRequest>[1] & object, body: Buffer, limitBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > limitBytes) response.destroy(new Error("the webhook's answer is too large"));
      });
      response.on("error", reject);
      response.on("end", () => {
        const code = response.statusCode ?? 0;
        if (code >= 200 && code < 300) resolve(Buffer.concat(chunks).toString("utf8"));
        else reject(new Error(`the server responded with the status code ${code}`));
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}
