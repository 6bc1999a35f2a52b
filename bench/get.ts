import { comparedPace, fetchOnce } from "./load.js";
import type { Row } from "./rows.js";
import { startServer } from "./servers.js";

const path = "/api/v1/namespaces/default/pods/web-000001";

/** GET of one pod over TLS, against a bare https server that sends the same bytes. */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", 10);
  await using bare = await startServer("bare", 0);
  const { body } = await fetchOnce(api, path);
  await bare.ask("bodies", { [path]: body });
  // Awaited here, because the servers go with this block.
  return await comparedPace("get", "req/s", api, bare, { path, connections: 32, depth: 2, ms: 1500 });
}
