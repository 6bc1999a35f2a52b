import { isIP } from "node:net";
import type { UserInfo } from "../../api/index.js";
import type { Auditor } from "../audit/auditor.js";
import type { RequestAudit } from "../audit/request-audit.js";
import type { Exchange } from "./exchange.js";
import { attributesFor, streams } from "./request-attributes.js";
import type { RequestInfo } from "./request-info.js";
import { TextError } from "./text-error.js";
import type { PendingUpgrade } from "./upgrade.js";
import { headerOf, type WireRequest } from "./wire.js";

/**
 * Begins to record a request, of which `user` is known or, where nobody is, only that it is refused. Throws the 500 where it must
 * be recorded and cannot be.
 */
export async function beginAudit(
  auditor: Auditor,
  exchange: Exchange,
  info: RequestInfo,
  { user, address }: { readonly user: UserInfo | undefined; readonly address: string | undefined },
): Promise<void> {
  const { request, auditId, startMs, query } = exchange;
  const attributes = { ...attributesFor(info, user ?? nobody, query), user };
  const subresource = info.type === "resource" ? info.subresource : "";
  const requestUri = request.url ?? "";
  const audit = auditor.begin({
    auditId,
    receivedMs: startMs,
    attributes,
    requestUri,
    sourceIps: sourceIpsOf(request, address),
    userAgent: headerOf(request.headers, "user-agent"),
    longRunning: attributes.verb === "watch" || streams.has(subresource),
  });
  if (audit === undefined) return;
  const taken = audit.received();
  if (!(taken instanceof Promise ? await taken : taken)) {
    auditor.refused();
    throw new TextError(500, `Internal Server Error: ${JSON.stringify(requestUri)}: failed to store audit event`);
  }
  exchange.audit = audit;
  followHead(exchange, audit);
  // Its client went while nobody told the record.
  if (exchange.ended) audit.closed();
}

const nobody: UserInfo = { username: "", groups: [] };

/** Whoever answers, and whether they write a head or leave it to Node. */
function followHead({ response }: Exchange, audit: RequestAudit): void {
  const writeHead = response.writeHead.bind(response);
  response.writeHead = (code, ...rest) => {
    audit.started(code);
    return writeHead(code, ...rest);
  };
}

/** The same upgrade; that the connection is taken begins the answer. */
export function auditedUpgrade(upgrade: PendingUpgrade, audit: RequestAudit): PendingUpgrade {
  const started = (): void => audit.started(101);
  return {
    protocol: upgrade.protocol,
    take: () => {
      started();
      return upgrade.take();
    },
    webSocket: (stall) => {
      started();
      return upgrade.webSocket(stall);
    },
    byteStream: () => {
      started();
      return upgrade.byteStream();
    },
  };
}

/** As upstream lists them: those that proxies say they speak for, and last whose connection it is. */
function sourceIpsOf({ headers }: WireRequest, address: string | undefined): readonly string[] {
  const ips = (headerOf(headers, "x-forwarded-for") ?? "").split(",").flatMap(ipOf);
  const real = ipOf(headerOf(headers, "x-real-ip") ?? "").filter((ip) => !ips.includes(ip));
  ips.push(...real);
  const remote = ipOf(address ?? "").filter((ip) => ip !== ips.at(-1));
  return [...ips, ...remote];
}

const mappedPrefix = /^::ffff:(?=\d+\.)/i;

function ipOf(text: string): string[] {
  const ip = text.trim().replace(mappedPrefix, "");
  return isIP(ip) === 0 ? [] : [ip];
}
