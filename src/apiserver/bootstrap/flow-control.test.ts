import { expect, test } from "vitest";
import { flowSchemas, priorityLevelConfigurations } from "../../api/index.js";
import { startControlPlane } from "../../cluster/index.js";
import { ensureFlowControl } from "./flow-control.js";

test("upstream's levels and schemas are there, each schema with its level, and what people changed stays", async () => {
  await using cp = await startControlPlane({ controllers: [], scheduler: false });
  const { client } = cp;
  await ensureFlowControl(client.transport);
  const levels = await client.list(priorityLevelConfigurations);
  expect(
    levels.items.map(({ metadata, spec }) => `${metadata.name} ${spec?.limited?.nominalConcurrencyShares}`),
  ).toEqual([
    "catch-all 5",
    "exempt undefined",
    "global-default 20",
    "leader-election 10",
    "node-high 40",
    "system 30",
    "workload-high 40",
    "workload-low 100",
  ]);
  const { items } = await client.list(flowSchemas);
  expect(items).toHaveLength(13);
  const names = new Set(levels.items.map(({ metadata }) => metadata.name));
  for (const { metadata, spec } of items) {
    expect(names, metadata.name).toContain(spec?.priorityLevelConfiguration.name);
  }
  const body = { spec: { matchingPrecedence: 9001 } };
  await client.patch(flowSchemas, { name: "service-accounts" }, { type: "merge", body });
  const before = (await client.list(flowSchemas)).metadata.resourceVersion;
  await ensureFlowControl(client.transport);
  const after = await client.list(flowSchemas);
  expect(after.metadata.resourceVersion).toBe(before);
  expect(after.items.find(({ metadata }) => metadata.name === "service-accounts")?.spec?.matchingPrecedence).toBe(9001);
});
