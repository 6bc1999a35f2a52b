import type { PathRequest, PathResponse } from "../http/routes.js";
import type { Fragment } from "./types.js";

/** The Swagger document of a server behind this one. */
export interface RemoteDocument {
  /** Only paths below it are the server's to describe: `/apis/GROUP/VERSION/`. */
  readonly prefix: string;
  readonly document: Fragment;
  /** Changes with the document. */
  readonly hash: string;
}

/** What servers behind this one say of themselves. */
export interface RemoteDocuments {
  /** By `apis/GROUP/VERSION`: where clients find its document. */
  index(): ReadonlyMap<string, string>;
  /** The OpenAPI v3 document of a group-version as its server answers; undefined where it is no other server's. Errors: ServiceUnavailable. */
  groupVersion(path: string, request: Pick<PathRequest, "query" | "headers">): Promise<PathResponse> | undefined;
  /** The Swagger documents of all that have one. The same object for as long as it does not change. */
  documents(): Promise<readonly RemoteDocument[]>;
}
