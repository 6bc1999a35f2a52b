import type { UserInfo } from "../../api/index.js";
import type { BackendFetch } from "./backend-fetch.js";
import type { Availability } from "./conditions.js";
import type { RemoteService } from "./remote-services.js";
import { failing } from "./service-check.js";

/** Each attempt may meet another endpoint of the service. */
const attempts = 5;

/** One who may ask any server for anything. */
export const aggregatorUser: UserInfo = { username: "system:kube-aggregator", groups: ["system:masters"] };

const passed: Availability = { status: "True", reason: "Passed", message: "all checks passed" };

/** Asks a server for the resources of its group-version. One attempt that succeeds is enough. */
export async function discoveryCheck(
  remote: RemoteService,
  fetch: BackendFetch,
  signal: AbortSignal,
): Promise<Availability> {
  const enough = new AbortController();
  const stop = (): void => enough.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    const path = `/apis/${remote.group}/${remote.version}`;
    await Promise.any(Array.from({ length: attempts }, () => attempt(remote, path, fetch, enough.signal)));
    return passed;
  } catch (error) {
    const last: unknown = error instanceof AggregateError ? error.errors.at(-1) : error;
    return failing("FailedDiscoveryCheck", last instanceof Error ? last.message : String(last));
  } finally {
    signal.removeEventListener("abort", stop);
    enough.abort();
  }
}

async function attempt(remote: RemoteService, path: string, fetch: BackendFetch, signal: AbortSignal): Promise<void> {
  const { code, url } = await fetch(remote, { path, user: aggregatorUser, accept: "*/*", signal });
  if (code >= 200 && code < 300) return;
  throw new Error(`failing or missing response from ${url}: bad status from ${url}: ${code}`);
}
