import type { Readable } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import type { MemoryStore } from "../../src/store/index.js";
import { useControlPlane } from "./support/subject.js";

const count = 50_000;
/** How often a request that reads or writes what is in the objects, 17 MB in all, gives the others a turn; at least. */
const turnsByContents = 16;
/** The same of one that only joins the bytes that are there. */
const turnsByObjects = 3;

const cp = useControlPlane({ prepare: fill });
const pods = "/api/v1/pods";

async function fill(store: MemoryStore): Promise<void> {
  for (let at = 0; at < count; at++) {
    const name = `pod-${String(at).padStart(5, "0")}`;
    const metadata = { name, namespace: "many", uid: name, labels: { app: `app-${at % 10}`, tier: "web" } };
    const containers = [{ name: "web", image: "registry.example/web:1", env: [{ name: "AT", value: name }] }];
    const pod = {
      kind: "Pod",
      apiVersion: "v1",
      metadata,
      spec: { nodeName: `node-${at % 5000}`, containers },
      status: { phase: "Running" },
    };
    await store.create(`/registry/pods/many/${name}`, Buffer.from(JSON.stringify(pod)));
  }
}

/** Takes what comes, and lets it go. */
async function drain(path: string, headers: Record<string, string> = {}): Promise<number> {
  const { code, stream } = await cp.wire.open(path, { headers: { "User-Agent": "x", ...headers } });
  expect(code).toBe(200);
  let size = 0;
  for await (const chunk of stream as Readable) size += (chunk as Buffer).length;
  return size;
}

/** How often `work` gave the others a turn. Counted and not timed, so that a slow machine comes to the same. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  const spy = vi.spyOn(globalThis, "setImmediate");
  try {
    await work();
    return spy.mock.calls.length;
  } finally {
    spy.mockRestore();
  }
}

const accept = (form: string): Record<string, string> => ({ Accept: form });
const requests: { name: string; work: () => Promise<unknown>; turns?: number }[] = [
  { name: "as JSON", work: () => drain(pods), turns: turnsByObjects },
  { name: "as JSON, packed", work: () => drain(pods, { "Accept-Encoding": "gzip" }), turns: turnsByObjects },
  { name: "by label", work: () => drain(`${pods}?labelSelector=app%3Dapp-3`) },
  { name: "by field", work: () => drain(`${pods}?fieldSelector=status.phase%3DPending`) },
  {
    name: "by hundreds of labels",
    work: () => drain(`${pods}?labelSelector=${Array.from({ length: 300 }, (_, at) => `tier!=t${at}`).join(",")}`),
  },
  { name: "as a Table", work: () => drain(pods, accept("application/json;as=Table;v=v1;g=meta.k8s.io")) },
  {
    name: "as metadata",
    work: () => drain(pods, accept("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")),
  },
  { name: "as protobuf", work: () => drain(pods, accept("application/vnd.kubernetes.protobuf")) },
  {
    name: "as metadata in protobuf",
    work: () =>
      drain(pods, accept("application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")),
  },
  { name: "pretty", work: () => drain(`${pods}?pretty=true`) },
  {
    name: "in this process",
    work: () => cp.inProcess.request({ group: "", version: "v1", resource: "pods", verb: "list" }),
  },
  { name: "as initial events of a watch", work: () => drain(`${pods}?watch=1&timeoutSeconds=1`) },
  {
    name: "as initial events by label",
    work: () => drain(`${pods}?watch=1&timeoutSeconds=1&labelSelector=app%3Dapp-3`),
  },
];

describe("a list of 50,000 objects", () => {
  test.each(requests)(
    "$name leaves others their turn",
    async ({ work, turns = turnsByContents }) => {
      expect(await turnsOf(work)).toBeGreaterThanOrEqual(turns);
    },
    60_000,
  );
});
