import { forbidden, invalid, required } from "../../field-error.js";
import type { HTTPGetAction, Lifecycle, Probe } from "../../gen/types.js";
import { validateHttpHeaderName } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkNonNegative,
  checkPortOrName,
  checkRange,
  checkRequired,
  type Errors,
} from "../checks.js";
import type { Loose } from "../loose.js";

interface Handlers {
  readonly exec?: { readonly command?: readonly string[] | undefined } | undefined;
  readonly httpGet?: Loose<HTTPGetAction> | undefined;
  readonly tcpSocket?: { readonly port?: number | string | undefined } | undefined;
  readonly grpc?: { readonly port?: number | undefined } | undefined;
  readonly sleep?: { readonly seconds?: number | undefined } | undefined;
}

export type ProbeKind = "livenessProbe" | "readinessProbe" | "startupProbe";

export function checkProbe(
  errors: Errors,
  path: string,
  kind: ProbeKind,
  probe: Loose<Probe> | undefined,
  gracePeriodSeconds: number | undefined,
): void {
  if (probe === undefined) return;
  checkHandlers(errors, path, probe, gracePeriodSeconds);
  for (const field of [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
  ] as const) {
    checkNonNegative(errors, `${path}.${field}`, probe[field]);
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) {
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  }
  if (kind === "readinessProbe") {
    if (grace !== undefined) {
      errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"));
    }
  } else if (probe.successThreshold !== 1) {
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
  }
}

export function checkLifecycle(
  errors: Errors,
  path: string,
  lifecycle: Loose<Lifecycle> | undefined,
  gracePeriodSeconds: number | undefined,
): void {
  for (const hook of ["postStart", "preStop"] as const) {
    const handler = lifecycle?.[hook];
    if (handler !== undefined) checkHandlers(errors, `${path}.${hook}`, handler, gracePeriodSeconds);
  }
}

function checkHandlers(
  errors: Errors,
  path: string,
  handlers: Loose<Handlers>,
  gracePeriodSeconds: number | undefined,
): void {
  const given = (["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const).filter(
    (kind) => handlers[kind] !== undefined,
  );
  if (given.length === 0) errors.push(required(path, "must specify a handler type"));
  given.forEach((kind, index) => {
    if (index > 0) errors.push(forbidden(`${path}.${kind}`, "may not specify more than 1 handler type"));
    else checkHandler(errors, path, handlers, kind, gracePeriodSeconds);
  });
}

function checkHandler(
  errors: Errors,
  path: string,
  handlers: Loose<Handlers>,
  kind: keyof Handlers,
  gracePeriodSeconds: number | undefined,
): void {
  switch (kind) {
    case "exec":
      if ((handlers.exec?.command?.length ?? 0) === 0) errors.push(required(`${path}.exec.command`));
      return;
    case "httpGet": {
      const action = handlers.httpGet ?? {};
      checkRequired(errors, `${path}.httpGet.path`, action.path);
      checkPortOrName(errors, `${path}.httpGet.port`, action.port);
      checkEnum(errors, `${path}.httpGet.scheme`, action.scheme, ["HTTP", "HTTPS"]);
      for (const header of action.httpHeaders ?? []) {
        addInvalid(errors, `${path}.httpGet.httpHeaders`, header.name ?? "", validateHttpHeaderName(header.name ?? ""));
      }
      return;
    }
    case "tcpSocket":
      checkPortOrName(errors, `${path}.tcpSocket.port`, handlers.tcpSocket?.port);
      return;
    case "grpc":
      checkRange(errors, `${path}.grpc.port`, handlers.grpc?.port ?? 0, 1, 65535);
      return;
    case "sleep": {
      const seconds = handlers.sleep?.seconds ?? 0;
      if (gracePeriodSeconds === undefined || (seconds >= 0 && seconds <= gracePeriodSeconds)) return;
      const why = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`;
      errors.push(invalid(`${path}.sleep`, seconds, why));
    }
  }
}
