import type { Server as HttpServer } from "node:http";

/** Who calls the node's API, as far as authentication could tell. */
export interface NodeUser {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface NodeServerOptions {
  /** Absent: plain HTTP, for tests and loopback only. */
  readonly tls?:
    | {
        readonly key: string;
        readonly cert: string;
        /** Who signs client certificates; absent: none are asked for. */
        readonly clientCa?: string | undefined;
      }
    | undefined;
  readonly port: number;
  readonly address: string;
  /**
   * `webhook`: bearer tokens are checked by TokenReview, and every call by SubjectAccessReview on the node's subresources, as upstream does.
   * `certificate`: whoever has a certificate of `clientCa` may do everything. `none`: everybody may; on loopback only.
   */
  readonly authorization: "webhook" | "certificate" | "none";
  /** What `/healthz` leaves open to callers without credentials. Default false. */
  readonly anonymousHealth?: boolean | undefined;
}

export interface RunningNodeServer extends AsyncDisposable {
  readonly port: number;
  readonly server: HttpServer;
}
