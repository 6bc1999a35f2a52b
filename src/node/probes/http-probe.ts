import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { HTTPGetAction } from "../../api/index.js";
import type { ProbeOutcome } from "./prober.js";

const maxBodyBytes = 10 * 1024;
const maxRedirects = 10;
/** Statuses that say where to go on. */
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  readonly userAgent: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** GETs as a probe or a hook does: certificates are not checked, redirects are followed only to the same host. */
export async function httpProbe(action: HTTPGetAction, target: HttpTarget): Promise<ProbeOutcome> {
  const scheme = action.scheme === "HTTPS" ? "https" : "http";
  const host = isIP(target.host) === 6 ? `[${target.host}]` : target.host;
  const path = action.path ?? "/";
  let url: URL;
  try {
    url = new URL(`${scheme}://${host}:${target.port}${path.startsWith("/") ? path : `/${path}`}`);
  } catch (error) {
    return { result: "unknown", output: String(error) };
  }
  const first = url.href;
  const deadline = AbortSignal.any([AbortSignal.timeout(target.timeoutMs), target.signal]);
  try {
    for (let hops = 0; ; hops++) {
      const { status, location, body } = await get(url, action, target.userAgent, deadline);
      const next = redirects.has(status) && location ? new URL(location, url) : undefined;
      if (next?.hostname === url.hostname) {
        if (hops >= maxRedirects) return { result: "failure", output: `Get "${first}": stopped after 10 redirects` };
        url = next;
        continue;
      }
      if (status >= 300 && status < 400) {
        return { result: "warning", output: `Probe terminated redirects, Response body: ${body}` };
      }
      if (status >= 200 && status < 300) return { result: "success", output: body };
      return { result: "failure", output: `HTTP probe failed with statuscode: ${status}` };
    }
  } catch (error) {
    const why = deadline.aborted
      ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
      : dialError(error, target.host, target.port);
    return { result: "failure", output: `Get "${first}": ${why}` };
  }
}

function get(
  url: URL,
  action: HTTPGetAction,
  userAgent: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly location: string | undefined; readonly body: string }> {
  const headers: Record<string, string> = { "user-agent": userAgent, accept: "*/*", connection: "close" };
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = name.toLowerCase();
    if (value === "" && (key === "accept" || key === "user-agent")) delete headers[key];
    else headers[key] = value;
  }
  return new Promise((resolve, reject) => {
    const options = { headers, signal, agent: false, method: "GET" };
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, rejectUnauthorized: false })
        : httpRequest(url, options);
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        if (bytes < maxBodyBytes) body += chunk.toString("utf8", 0, maxBodyBytes - bytes);
        bytes += chunk.length;
        if (bytes >= maxBodyBytes) done();
      });
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, location: response.headers.location, body });
        request.destroy();
      };
      response.on("end", done);
      response.on("error", reject);
    });
    request.end();
  });
}

/** Words for a failed connection as upstream's clients have them. */
export function dialError(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: "connect: connection refused",
    EHOSTUNREACH: "connect: no route to host",
    ENETUNREACH: "connect: network is unreachable",
    ETIMEDOUT: "i/o timeout",
  };
  const words = Object.hasOwn(known, code) ? known[code] : undefined;
  if (words !== undefined) return `dial tcp ${isIP(host) === 6 ? `[${host}]` : host}:${port}: ${words}`;
  return code === "ECONNRESET" ? "EOF" : error instanceof Error ? error.message : String(error);
}
