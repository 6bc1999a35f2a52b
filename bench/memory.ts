import { fetchOnce } from "./load.js";
import { cost, type Row } from "./rows.js";
import { startServer } from "./servers.js";

/** What pods of 3 KB add to the resident memory of an API server, against their encoded bytes. */
export async function memory(name: string, count: number): Promise<readonly Row[]> {
  await using api = await startServer("api", count);
  const resident = await api.ask<number>("resident");
  const { body } = await fetchOnce(api, "/api/v1/namespaces/default/pods/web-000001");
  return [cost(name, resident / 2 ** 20, "MiB", (body.length * count) / 2 ** 20)];
}
