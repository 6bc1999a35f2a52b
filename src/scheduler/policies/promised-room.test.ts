import { expect, test } from "vitest";
import type { Pod } from "../../api/index.js";
import { discardEvents } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { SchedulerCore } from "../core.js";
import { listersOf } from "../framework/listers.js";
import { defaultPolicies } from "./default-policies.js";

// Room that is made for one pod is not for others like it. Nobody here tells the scheduler what it wrote into statuses.

const low = makePod("low", { nodeName: "a", cpuMillis: 1000 });
const high = (name: string, priority = 10): Pod => makePod(name, { priority, cpuMillis: 1000 });

/** A node that is full of `low`, and `high-1`, for which that is evicted and gone. */
async function promised(): Promise<{ core: SchedulerCore; told: string[]; turn: () => Promise<void> }> {
  const told: string[] = [];
  const core = new SchedulerCore({
    profiles: [{ policies: defaultPolicies() }],
    listers: listersOf(),
    writes: {
      bind: async ({ metadata }, nodeName) => void told.push(`${metadata.name} on ${nodeName}`),
      patchStatus: async ({ metadata }, { condition }) => void told.push(`${metadata.name}: ${condition?.message}`),
      evict: async ({ metadata }) => void told.push(`${metadata.name} evicted`),
    },
    events: discardEvents,
    clock: new VirtualClock(),
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => {},
  });
  const turn = async (): Promise<void> => {
    core.work(1);
    await new Promise(setImmediate);
  };
  core.setNode(makeNode("a", { cpuMillis: 1000 }));
  core.setPod(low, undefined);
  core.setPod(high("high-1"), undefined);
  await turn();
  expect(told).toContain("low evicted");
  core.deletePod(low);
  told.length = 0;
  return { core, told, turn };
}

test("another like it, tried first, is told that there is too little, and does not stand in its way", async () => {
  const { core, told, turn } = await promised();
  core.setPod(high("high-2"), undefined);
  await turn();
  expect(told).toEqual([expect.stringMatching(/^high-2: 0\/1 nodes are available: 1 Insufficient cpu\. /)]);
  await turn();
  expect(told[1]).toBe("high-1 on a");
  await core.close();
});

test("one of higher priority takes it", async () => {
  const { core, told, turn } = await promised();
  core.setPod(high("high-2"), undefined);
  await turn();
  core.setPod(high("highest", 20), undefined);
  await turn();
  expect(told[1]).toBe("highest on a");
  await core.close();
});

test("when the pod is gone, it is for all", async () => {
  const { core, told, turn } = await promised();
  core.setPod(high("high-2"), undefined);
  await turn();
  core.deletePod(high("high-1"));
  await turn();
  expect(told[1]).toBe("high-2 on a");
  await core.close();
});
