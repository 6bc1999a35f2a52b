import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodes, type PodSpec, pods } from "../../api/index.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { SchedulerWorld, until } from "../../testing/scheduler-world.fixture.js";
import type { Cycle, NodeSnapshot } from "../framework/policy.js";
import { nodeDeclaredFeatures } from "./node-declared-features.js";

const restarting = "RestartAllContainersOnContainerExits";
const exitCodes = { operator: "In", values: [1] };
const restartsAll = { restartPolicy: "Never", restartPolicyRules: [{ action: "RestartAllContainers", exitCodes }] };
const main = { name: "main", image: "x" };

describe("NodeDeclaredFeatures", () => {
  test.each<{ name: string; spec: Partial<PodSpec>; needs: string | undefined }>([
    { name: "nothing special", spec: {}, needs: undefined },
    { name: "a container that restarts all", spec: { containers: [{ ...main, ...restartsAll }] }, needs: restarting },
    { name: "an init container that does", spec: { initContainers: [{ ...main, ...restartsAll }] }, needs: restarting },
    { name: "users of its own", spec: { hostUsers: false }, needs: undefined },
    {
      name: "users of its own in the host's network",
      spec: { hostUsers: false, hostNetwork: true },
      needs: "UserNamespacesHostNetworkSupport",
    },
  ])("$name", ({ spec, needs }) => {
    const policy = nodeDeclaredFeatures();
    const verdict = (declaredFeatures: readonly string[]): unknown => {
      const node = makeNode("n", { status: { declaredFeatures } });
      return policy.filter?.(makePod("p", { spec }), { node } as NodeSnapshot, {} as Cycle);
    };
    const no = { reasons: ["node(s) didn't match Pod's required features"], unresolvable: true };
    expect(verdict(["Other"])).toEqual(needs === undefined ? undefined : no);
    expect(verdict(needs === undefined ? [] : ["Other", needs])).toBeUndefined();
  });
});

describe("a pod that waits for a feature", () => {
  let world: SchedulerWorld;
  beforeEach(async () => {
    world = await SchedulerWorld.start();
  });
  afterEach(() => world.stop());

  test("gets its node when that declares it", async () => {
    await world.create(nodes, makeNode("one"));
    await world.schedule();
    await world.create(pods, makePod("p", { spec: { containers: [{ ...main, ...restartsAll }] } }));
    await until(() => world.unschedulable("p"));
    const body = { status: { declaredFeatures: [restarting] } };
    await world.client.patch(nodes, { name: "one" }, { type: "merge", body }, { subresource: "status" });
    await until(async () => {
      await world.clock.advance(1_000);
      return world.bound("p");
    });
  });
});
