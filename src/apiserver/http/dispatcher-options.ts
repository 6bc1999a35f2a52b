import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Random } from "../../internal/random.js";
import type { Auditor } from "../audit/auditor.js";
import type { Authenticator } from "../authn/authenticator.js";
import type { Authorizer } from "../authz/authorizer.js";
import type { FlowControl } from "../flowcontrol/flow-control.js";
import type { RequestHandler } from "../request.js";
import type { BodyDecoder } from "./body.js";
import type { ConnectHandler, DelegateLookup } from "./connect.js";
import type { Exchange } from "./exchange.js";
import type { HealthCheck } from "./health.js";
import type { InFlight, InFlightKind } from "./in-flight.js";
import type { ServerMetrics } from "./metrics.js";
import type { Representer } from "./represent.js";
import type { RequestInfo } from "./request-info.js";
import type { ResourceLookup } from "./resources.js";
import type { PathRoute } from "./routes.js";

export interface DispatcherOptions {
  readonly handler: RequestHandler;
  readonly resources: ResourceLookup;
  readonly authenticator: Authenticator;
  /** For paths, impersonation and connect requests; what goes to the handler is authorized by the handler. */
  readonly authorizer: Authorizer;
  readonly routes: readonly PathRoute[];
  readonly connect: readonly ConnectHandler[];
  /** Absent: all group-versions are this server's. */
  readonly delegates: DelegateLookup | undefined;
  readonly representer: Representer | undefined;
  readonly checks: readonly HealthCheck[];
  readonly decode: BodyDecoder;
  readonly bodyLimitBytes: number;
  /** A watch or list is cut when its client takes nothing for so long. */
  readonly stallTimeoutMs: number;
  readonly minWatchTimeoutSeconds: number;
  readonly inFlight: InFlight;
  /** Absent: requests are limited by number alone. */
  readonly flowControl: FlowControl | undefined;
  /** Absent: nothing is recorded. */
  readonly audit: Auditor | undefined;
  readonly metrics: ServerMetrics;
  /** Give further figures in Prometheus' text format. */
  readonly moreMetrics: readonly (() => string)[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly startMs: number;
}

/** What a request is, before it is let in. */
export interface Entrant {
  readonly kind: InFlightKind;
  readonly info: RequestInfo;
  /** As it is authorized. */
  readonly verb: string;
}

/** Lets a request in, or throws; a promise where it has to wait. */
export type Admit = (exchange: Exchange, entrant: Entrant) => void | Promise<void>;
