import { fetchOnce } from "./load.js";
import { cost, type Row } from "./rows.js";
import { type Memory, startServer } from "./servers.js";

/** What pods of 3 KB add to the memory of an API server, against their encoded bytes. */
export async function memory(name: string, count: number): Promise<readonly Row[]> {
  await using api = await startServer("api", count);
  const { resident, live } = await api.ask<Memory>("memory");
  const { body } = await fetchOnce(api, "/api/v1/namespaces/default/pods/web-000001");
  const encoded = (body.length * count) / 2 ** 20;
  return [cost(name, resident / 2 ** 20, "MiB", encoded), cost(`${name}: live`, live / 2 ** 20, "MiB", encoded)];
}
