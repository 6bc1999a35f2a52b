import { fetchOnce, throughput } from "./load.js";
import { alternate, type Row, rate } from "./rows.js";
import { startServer } from "./servers.js";

const path = "/api/v1/namespaces/default/pods/web-000001";

/** GET of one pod over TLS, against a bare https server that sends the same bytes. */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", 10);
  await using bare = await startServer("bare", 0);
  const { body } = await fetchOnce(api, path);
  await bare.ask("bodies", { [path]: body });
  const measured = await alternate(
    5,
    () => throughput(api, path, 16, 1500),
    () => throughput(bare, path, 16, 1500),
  );
  return [rate("get", measured.ours, "req/s", measured.bare)];
}
