import { comparedPace, fetchOnce } from "./load.js";
import type { Row } from "./rows.js";
import { startServer } from "./servers.js";

const path = "/api/v1/pods";

/** LIST of 5,000 pods over TLS, against a bare https server that sends the same bytes. */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", 5000);
  await using bare = await startServer("bare", 0);
  const { body } = await fetchOnce(api, path);
  await bare.ask("bodies", { [path]: body });
  // Awaited here, because the servers go with this block.
  return await comparedPace(`list-5000 (${(body.length / 2 ** 20).toFixed(1)} MiB)`, "lists/s", api, bare, {
    path,
    connections: 1,
    depth: 1,
    ms: 2500,
  });
}
