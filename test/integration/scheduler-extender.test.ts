import { createServer, type Server } from "node:http";
import { startControlPlane } from "coxswain";
import { nodes, pods } from "coxswain/api";
import { httpExtender } from "coxswain/scheduler";
import { makeNode, makePod } from "coxswain/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

let server: Server;
let url: string;
let calls: { readonly path: string; readonly body: Record<string, unknown> }[];
let answers: Readonly<Record<string, (body: Record<string, unknown>) => unknown>>;

beforeEach(async () => {
  calls = [];
  answers = {};
  server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const path = request.url ?? "";
    const body = JSON.parse(text) as Record<string, unknown>;
    calls.push({ path, body });
    const answer = answers[path.split("/").at(-1) ?? ""];
    if (answer === undefined) response.writeHead(500).end();
    else response.end(JSON.stringify(answer(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/extender`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const { uid: _, ...podMeta } = makePod("p").metadata;
const pod = { ...makePod("p"), metadata: podMeta };

test("an extender behind HTTP filters, scores and leaves other pods alone, as with upstream", async () => {
  answers = {
    // Lower case, as extenders in other languages have it.
    filter: () => ({ nodenames: ["b", "c"], failedNodes: { a: "taken" }, error: "" }),
    prioritize: () => [
      { Host: "b", Score: 1 },
      { Host: "c", Score: 10 },
    ],
  };
  const extender = httpExtender({
    urlPrefix: url,
    filterVerb: "filter",
    prioritizeVerb: "prioritize",
    weight: 5,
    nodeCacheCapable: true,
  });
  await using cp = await startControlPlane({ controllers: [], scheduler: { extenders: [extender] } });
  for (const name of ["a", "b", "c"]) {
    const { uid: _uid, ...metadata } = makeNode(name).metadata;
    await cp.client.create(nodes, { ...makeNode(name), metadata });
  }
  await cp.client.create(pods, pod);
  for await (const { object } of cp.client.watch(pods)) if (object.spec?.nodeName) break;
  const { spec } = await cp.client.get(pods, { namespace: "default", name: "p" });
  expect(spec?.nodeName).toBe("c");
  expect(calls.map(({ path }) => path)).toEqual(["/extender/filter", "/extender/prioritize"]);
  expect(calls[0]?.body).toMatchObject({ Pod: { metadata: { name: "p" } }, NodeNames: ["a", "b", "c"], Nodes: null });
  expect(calls[1]?.body).toMatchObject({ NodeNames: ["b", "c"] });
});

test("failures say where", async () => {
  const extender = httpExtender({ urlPrefix: url, filterVerb: "filter", timeoutMs: 60_000 });
  const filter = (): Promise<unknown> | undefined =>
    extender.filter?.(makePod("p"), [makeNode("a")], new AbortController().signal);
  await expect(filter()).rejects.toThrow(`failed filter with extender at URL ${url}/filter, code 500`);
  answers = { filter: () => ({ Error: "out of devices" }) };
  await expect(filter()).rejects.toThrow("out of devices");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(filter()).rejects.toThrow(/^Post ".*": connect ECONNREFUSED/);
});

test("whole nodes are sent to who does not know them, and victims and bindings are agreed on", async () => {
  answers = {
    filter: (body) => ({ Nodes: body["Nodes"], NodeNames: null }),
    preempt: () => ({ NodeNameToMetaVictims: { a: { Pods: [{ UID: "pod-default-v" }] } } }),
    bind: () => ({ Error: "" }),
  };
  const extender = httpExtender({ urlPrefix: url, filterVerb: "filter", preemptVerb: "preempt", bindVerb: "bind" });
  const { signal } = new AbortController();
  const verdict = await extender.filter?.(makePod("p"), [makeNode("a")], signal);
  expect(verdict).toEqual({ failed: new Map(), unresolvable: new Map() });
  expect(calls[0]?.body).toMatchObject({ Nodes: { items: [{ metadata: { name: "a" } }] }, NodeNames: null });
  const plan = { nodeName: "a", victims: [makePod("v"), makePod("w")] };
  expect(await extender.preempt?.(makePod("p"), plan, signal)).toEqual(new Set(["pod-default-v"]));
  expect(await extender.preempt?.(makePod("p"), { ...plan, nodeName: "b" }, signal)).toBeUndefined();
  await extender.bind?.(makePod("p"), "a", signal);
  expect(calls.at(-1)?.body).toEqual({ PodName: "p", PodNamespace: "default", PodUID: "pod-default-p", Node: "a" });
});
