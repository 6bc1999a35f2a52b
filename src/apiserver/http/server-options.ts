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
import type { HealthCheck } from "./health.js";
import type { InFlightLimits } from "./in-flight.js";
import type { Representer } from "./represent.js";
import type { ResourceLookup } from "./resources.js";
import type { PathRoute, VersionInfo } from "./routes.js";

/** All in PEM. */
export interface TlsMaterial {
  /** The serving certificate, with intermediates behind it. */
  readonly certificate: string;
  readonly key: string;
  /** Whose client certificates are asked for; the authenticators check them. */
  readonly clientCas: readonly string[];
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Absent: plain HTTP, which is served on loopback only. */
  readonly tls?: TlsMaterial | undefined;
  readonly handler: RequestHandler;
  readonly resources: ResourceLookup;
  readonly authenticator: Authenticator;
  /** For paths, impersonation and connect requests. What goes to the handler is authorized there. */
  readonly authorizer: Authorizer;
  /** Discovery, OpenAPI, token issuer: asked in order after the server's own paths. */
  readonly routes?: readonly PathRoute[];
  /** exec, attach, port-forward, log, proxy. */
  readonly connect?: readonly ConnectHandler[];
  /** The servers that have group-versions of their own behind this one. */
  readonly delegates?: DelegateLookup | undefined;
  /** Makes Tables and partial objects; without it clients that ask for them get the objects. */
  readonly representer?: Representer;
  /** Beside `ping`, and `shutdown` of readyz. */
  readonly checks?: readonly HealthCheck[];
  readonly version?: VersionInfo;
  /** Reads JSON and YAML. */
  readonly decode?: BodyDecoder;
  readonly bodyLimitBytes?: number;
  /** Of no meaning beside `flowControl`. Default: 400 reads and 200 writes, as upstream. */
  readonly inFlight?: InFlightLimits | undefined;
  /** Which requests go first, and which wait. Absent: they are limited by number alone. */
  readonly flowControl?: FlowControl | undefined;
  /** Records who asked for what, and what came of it. Absent: nothing is recorded. */
  readonly audit?: Auditor | undefined;
  /** Give further figures for `/metrics`, in Prometheus' text format. */
  readonly moreMetrics?: readonly (() => string)[] | undefined;
  /** How long anything but a watch or a stream may take. */
  readonly requestTimeoutMs?: number;
  /** How long a client may take nothing of what is sent to it. */
  readonly stallTimeoutMs?: number;
  /** Watches without timeoutSeconds end after one to two times this. */
  readonly minWatchTimeoutSeconds?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

export interface HttpServer extends AsyncDisposable {
  /** Of the listening socket; throws before `listen` resolved. */
  readonly port: number;
  readonly url: string;
  /** Resolves when connections are taken; rejects with the system's error (EADDRINUSE, EACCES). */
  listen(): Promise<void>;
  /** Serves new connections with another certificate. */
  setTls(tls: TlsMaterial): void;
  /**
   * Fails readyz, takes no more connections, ends watches and streams, and waits up to `graceMs` for the other requests before it
   * cuts them. Resolves when all sockets are gone. Idempotent.
   */
  close(graceMs?: number): Promise<void>;
}
