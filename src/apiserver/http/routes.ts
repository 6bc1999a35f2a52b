import type { UserInfo } from "../../api/index.js";
import type { WireHeaders } from "./wire.js";

/** A request outside of resources: discovery, OpenAPI, version. */
export interface PathRequest {
  /** GET or HEAD, or what `methods` of the route allows. */
  readonly method: string;
  /** Raw, without query; already authorized. */
  readonly path: string;
  readonly query: string;
  readonly headers: WireHeaders;
  readonly user: UserInfo;
}

/** A whole answer. `ETag` in headers is compared with If-None-Match by the server, which then answers 304. */
export interface PathResponse {
  readonly code: number;
  readonly contentType: string;
  readonly body: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Serves paths outside of resources as a function of the request. Asked in order; undefined leaves it to the next. May throw
 * StatusError.
 */
export interface PathRoute {
  /** Shown in the list at `/`. */
  readonly paths?: readonly string[];
  handle(request: PathRequest): PathResponse | undefined | Promise<PathResponse | undefined>;
}

export interface VersionInfo {
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly buildDate: string;
}

export const defaultVersion: VersionInfo = {
  gitVersion: "v1.36.0+coxswain",
  gitCommit: "",
  buildDate: "1970-01-01T00:00:00Z",
};

/** `/version`, which clients use to decide what they may ask for. */
export function versionRoute(version: VersionInfo): PathRoute {
  const fields = {
    major: "1",
    minor: "36",
    emulationMajor: "1",
    emulationMinor: "36",
    minCompatibilityMajor: "1",
    minCompatibilityMinor: "35",
    gitVersion: version.gitVersion,
    gitCommit: version.gitCommit,
    gitTreeState: "clean",
    buildDate: version.buildDate,
    goVersion: `node ${process.version}`,
    compiler: "v8",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
  const body = JSON.stringify(fields, null, 2);
  return {
    paths: ["/version"],
    handle: ({ path }) =>
      path === "/version" || path === "/version/" ? { code: 200, contentType: "application/json", body } : undefined,
  };
}
