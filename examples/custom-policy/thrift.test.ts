import { nodes, pods } from "coxswain/api";
import { describeSchedulingPolicy, makePod } from "coxswain/testing";
import { expect, test } from "vitest";
import { start, thrift } from "./thrift.js";

describeSchedulingPolicy({
  name: "Thrift",
  setup: () => ({
    policy: thrift,
    node: (node, random) => {
      const labels = { ...node.metadata.labels, "example.com/price": String(Math.floor(random() * 80)) };
      return { ...node, metadata: { ...node.metadata, labels } };
    },
  }),
});

test("the scheduler of a control plane keeps to it", async () => {
  await using cp = await start();
  const prices = [40, 10, 60];
  for (const [index, price] of prices.entries()) {
    const labels = { "example.com/price": String(price) };
    await cp.client.patch(nodes, { name: `node-${index}` }, { type: "merge", body: { metadata: { labels } } });
  }
  await cp.settled();
  for (let index = 0; index < 4; index++) await cp.client.create(pods, makePod(`pod-${index}`));
  await cp.settled();
  const { items } = await cp.client.list(pods);
  expect(items.map(({ spec }) => spec?.nodeName)).toEqual(["node-1", "node-1", "node-1", "node-1"]);
});
