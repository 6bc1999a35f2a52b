import type { ApiServer } from "../server.js";
import type { BackendFetch } from "./backend-fetch.js";
import type { RemoteServices } from "./remote-services.js";

/** What everything is made with that keeps an eye on the servers behind this one. */
export interface RemoteOptions {
  readonly server: ApiServer;
  readonly services: RemoteServices;
  readonly fetch: BackendFetch;
}

/** When a server is asked again for what it serves. */
export const refreshMs = 60_000;
/** The same after it did not answer. */
export const retryMs = 5_000;
