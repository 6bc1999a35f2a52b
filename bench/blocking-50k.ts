import { fetchOnce } from "./load.js";
import { cost, type Row } from "./rows.js";
import { type BenchServer, startServer } from "./servers.js";

const count = 50_000;
/** What no request may do to the others, in milliseconds. */
const allowedMs = 50;

const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
const reads: readonly { readonly name: string; readonly path: string; readonly accept?: string }[] = [
  { name: "list", path: "/api/v1/pods" },
  { name: "list in pages", path: "/api/v1/pods?limit=500" },
  { name: "list by label", path: "/api/v1/pods?labelSelector=release%3Dr3" },
  { name: "list by field", path: "/api/v1/pods?fieldSelector=status.phase%3DPending" },
  { name: "table", path: "/api/v1/pods", accept: table },
  { name: "protobuf", path: "/api/v1/pods", accept: "application/vnd.kubernetes.protobuf" },
  {
    name: "metadata alone",
    path: "/api/v1/pods",
    accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
  },
];

/** The longest that one request over 50,000 pods keeps all others waiting, against the 50 ms that it may. */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", count);
  const rows: Row[] = [];
  for (const { name, path, accept } of reads) {
    rows.push(cost(`blocking-50k: ${name}`, await worstDelay(api, path, accept), "ms", allowedMs));
  }
  return rows;
}

async function worstDelay(api: BenchServer, path: string, accept: string | undefined): Promise<number> {
  await api.ask("delay: start");
  const client = accept === undefined ? api : { ...api, headers: { ...api.headers, accept } };
  await fetchOnce(client, path);
  return await api.ask<number>("delay: worst");
}
