import type { IncomingMessage } from "node:http";
import type { Logger } from "../../internal/logger.js";
import type { Delegate, DelegatedRequest, DelegateLookup } from "../http/connect.js";
import { TextError } from "../http/text-error.js";
import type { Target } from "../proxy/dial.js";
import { forward } from "../proxy/forward.js";
import { forwardedFor } from "../proxy/forwarded-for.js";
import type { Backends } from "./backends.js";
import type { RemoteService, RemoteServices } from "./remote-services.js";
import { remoteUserHeaders } from "./remote-user.js";

export interface DelegatesOptions {
  readonly services: RemoteServices;
  readonly backends: Backends;
  readonly logger: Logger;
}

/** Finds the server behind this one that a group-version belongs to, and passes requests on to it in the name of who asks. */
export function delegates(options: DelegatesOptions): DelegateLookup {
  return (group, version) => {
    const remote = options.services.find(group, version);
    return remote && delegateTo(remote, options);
  };
}

function delegateTo(remote: RemoteService, { backends, logger }: DelegatesOptions): Delegate {
  return {
    async serve(request) {
      if (!remote.available) throw unavailable();
      const target = await backends.locate(remote).catch((cause: unknown) => {
        logger.warn("the service of an API could not be found", { apiService: remote.name, error: cause });
        throw unavailable(cause);
      });
      await passOn(request, remote, target, backends);
    },
  };
}

function unavailable(cause?: unknown): TextError {
  return new TextError(503, "service unavailable", { cause });
}

async function passOn(
  request: DelegatedRequest,
  remote: RemoteService,
  target: Target,
  backends: Backends,
): Promise<void> {
  const { path, query, user } = request;
  await forward(request, {
    dial: backends.dial(remote),
    target,
    path: query === "" ? path : `${path}?${query}`,
    headers: { ...remoteUserHeaders(user), ...traceOf(request) },
    unreachable: (cause) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      return new TextError(503, `error trying to reach service: ${why}`, { cause });
    },
    check: refuseRedirect,
  });
}

/** What ties the request there to the one here: its audit ID, and whose address it came from. */
function traceOf(request: DelegatedRequest): Record<string, string> {
  const auditId = request.headers["Audit-Id"];
  return {
    "X-Forwarded-For": forwardedFor(request),
    ...(auditId === undefined ? {} : { "Audit-Id": String(auditId) }),
  };
}

/** What is behind this server must not send its clients, who have credentials with them, elsewhere. */
async function refuseRedirect({ statusCode = 0, headers }: IncomingMessage): Promise<void> {
  if (statusCode < 300 || statusCode > 399 || !headers.location) return;
  throw new TextError(502, "the backend attempted to redirect this request, which is not permitted");
}
