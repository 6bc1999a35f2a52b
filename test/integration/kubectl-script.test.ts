import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { topics } from "./kubectl-script/all.js";
import { describeTopic, type ScriptContext } from "./kubectl-script/script.js";
import { findClient } from "./support/clients.js";
import { type HollowCluster, startHollowCluster } from "./support/hollow-cluster.js";
import { createKubectl } from "./support/kubectl.js";

// The oldest and the newest that the same script must serve, each against a cluster of its own.
describe.each(["old", "new"] as const)("the %s kubectl", (age) => {
  let hollow: HollowCluster;
  let context: ScriptContext;
  beforeAll(async () => {
    hollow = await startHollowCluster(["node-1", "node-2"]);
    const { kubeconfig, folder } = hollow;
    const kubectl = await createKubectl({ kubeconfig, home: folder, binary: await findClient("kubectl", age) });
    const { clientVersion } = await kubectl.json<{ clientVersion: { minor: string } }>("version --client");
    context = { kubectl, folder, minor: Number.parseInt(clientVersion.minor, 10) };
  });
  afterAll(async () => {
    await hollow?.[Symbol.asyncDispose]();
  });

  test("is as old as its name says", () => {
    if (age === "old") expect(context.minor).toBeLessThan(32);
    else expect(context.minor).toBeGreaterThanOrEqual(32);
  });
  for (const topic of topics) describeTopic(topic, age, () => context);
  test("no part of the cluster has complained", () => {
    expect(hollow.complaints).toEqual([]);
  });
});
