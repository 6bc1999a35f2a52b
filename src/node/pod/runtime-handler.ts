import { type Pod, runtimeClasses } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { specOf } from "./containers.js";

/** How the runtime is to run the pod, by its RuntimeClass; `undefined`: as it runs all. Rejects with StatusError when there is no such class. */
export async function runtimeHandler(client: Client, pod: Pod, signal: AbortSignal): Promise<string | undefined> {
  const name = specOf(pod).runtimeClassName;
  if (!name) return undefined;
  const { handler } = await client.get(runtimeClasses, { name }, { signal });
  return handler;
}
