import { expect, test } from "vitest";
import { nodes } from "../../api/index.js";
import { makeNode } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { ttlController } from "./ttl.js";

const annotation = "node.alpha.kubernetes.io/ttl";

async function ttls(scenario: Scenario): Promise<readonly string[]> {
  const all = (await scenario.list(nodes)).map(({ metadata }) => metadata.annotations?.[annotation] ?? "none");
  return [...new Set(all)];
}

/** A sign of life of every node, upon which it hears the news. */
async function heartbeats(scenario: Scenario): Promise<void> {
  for (const { metadata } of await scenario.list(nodes)) {
    const beat = { metadata: { labels: { beat: String(Math.floor(scenario.clock.now())) } } };
    await scenario.change(nodes, metadata.name, beat, undefined, "");
  }
  await scenario.settle();
  await scenario.advance(1000);
}

test("nodes may keep things for longer the more of them there are", async () => {
  const scenario = new Scenario({ controllers: [ttlController] });
  await scenario.start();
  for (let n = 0; n < 100; n++) await scenario.create(nodes, makeNode(`n${n}`));
  await scenario.settle();
  expect(await ttls(scenario)).toEqual(["0"]);
  await scenario.create(nodes, makeNode("n100"));
  await heartbeats(scenario);
  expect(await ttls(scenario)).toEqual(["15"]);
  for (let n = 90; n <= 100; n++) await scenario.delete(nodes, `n${n}`, {}, "");
  await heartbeats(scenario);
  expect(await ttls(scenario)).toEqual(["15"]);
  await scenario.delete(nodes, "n89", {}, "");
  await heartbeats(scenario);
  expect(await ttls(scenario)).toEqual(["0"]);
  expect(scenario.problems).toEqual([]);
});
