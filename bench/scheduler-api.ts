// Create to bound through the API server in the same process, on the memory store.
import { builtinDescriptions } from "../src/api/describe/index.js";
import { namespaces, nodes as nodeType, type Pod, pods as podType } from "../src/api/index.js";
import { builtinStrategies } from "../src/api/kinds/index.js";
import { ApiServer } from "../src/apiserver/index.js";
import { createClient } from "../src/client/index.js";
import { createScheduler } from "../src/scheduler/index.js";
import { MemoryStore } from "../src/store/index.js";
import { makeNode, makePod } from "../src/testing/builders.js";

const nodeCount = Number(process.argv[2] ?? 5000);
const podCount = Number(process.argv[3] ?? 10_000);
const stop = new AbortController();
const server = new ApiServer({ store: new MemoryStore(), resources: builtinDescriptions(builtinStrategies) });
const start = (run: (ready: () => void) => Promise<void>): Promise<void> =>
  new Promise((ready, fail) => void run(ready).catch(fail));
await start((ready) => server.component.run({ signal: stop.signal, ready }));
const client = createClient(server.transport());
await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } }).catch(() => {});
for (let index = 0; index < nodeCount; index++) {
  const node = makeNode(`node-${index}`);
  await client.create(nodeType, { ...node, metadata: { ...node.metadata, uid: "" } });
}
const scheduler = createScheduler({ client });
await start((ready) => scheduler.run({ signal: stop.signal, ready }));
const template = makePod("template", { cpuMillis: 100, memoryBytes: 500 * 2 ** 20 });
const started = process.hrtime.bigint();
const cpu = process.cpuUsage();
let created = 0;
const createSome = async (): Promise<void> => {
  while (created < podCount) {
    const name = `pod-${created++}`;
    await client.create(podType, { ...template, metadata: { name, namespace: "default" } });
  }
};
let bound = 0;
const watching = (async () => {
  const done = new AbortController();
  for await (const { type, object } of client.watch(podType, { signal: done.signal })) {
    const pod: Pod = object;
    if (type === "MODIFIED" && pod.spec?.nodeName) bound++;
    if (bound === podCount) return;
  }
})();
await Promise.all(Array.from({ length: 32 }, createSome));
const createdMs = Number(process.hrtime.bigint() - started) / 1e6;
await watching;
const ms = Number(process.hrtime.bigint() - started) / 1e6;
const { user, system } = process.cpuUsage(cpu);
console.log(
  `${nodeCount} nodes, ${podCount} pods: created in ${createdMs.toFixed(0)} ms, bound in ${ms.toFixed(0)} ms: ${Math.round((podCount / ms) * 1000)} pods/s, ${((user + system) / podCount).toFixed(0)} us CPU/pod`,
);
stop.abort();
setTimeout(() => process.exit(0), 100);
