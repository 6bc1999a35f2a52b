import { expect } from "vitest";
import { eventually, runProgram } from "../support/cli-program.js";
import type { Json, Kubectl } from "../support/kubectl.js";
import { readyPods, type Scenario, type ScenarioCluster } from "./scenario.js";

const podsOn = async (kubectl: Kubectl, node: string, selector = "app=web"): Promise<readonly Json[]> =>
  (await kubectl.json(`get pods -l ${selector} --field-selector=spec.nodeName=${node}`)).items;

const agentsOf = ({ agents }: ScenarioCluster): NonNullable<ScenarioCluster["agents"]> => {
  if (agents === undefined) throw new Error("the node agents of this cluster are no programs of their own");
  return agents;
};

const readiness = async (kubectl: Kubectl, node: string): Promise<string> => {
  const { status } = await kubectl.json(`get node ${node}`);
  return status.conditions.find(({ type }: { type: string }) => type === "Ready").status;
};

async function answersOnNode(cluster: ScenarioCluster, url: string): Promise<boolean> {
  const [command = "", ...args] = cluster.fetchFromNode(url);
  return (await runProgram(command, args)).code === 0;
}

export const draining: Scenario = {
  name: "draining",
  steps: [
    {
      name: "a cordoned node takes no more pods",
      async run({ cluster, kubectl, manifest }) {
        const [first = "", ...others] = cluster.nodes;
        await kubectl.ok(["cordon", first]);
        expect(await kubectl.ok(["get", "node", first, "--no-headers"])).toMatch(/ Ready,SchedulingDisabled /);
        await kubectl.ok("apply -f -", { stdin: await manifest("nodes.yaml") });
        await readyPods(kubectl, "app=web", 4);
        expect(await podsOn(kubectl, first)).toEqual([]);
        // A DaemonSet's pods come all the same.
        await eventually(
          async () => ((await podsOn(kubectl, first, "app=everywhere")).length === 1 ? true : undefined),
          "its daemon runs",
        );
        await kubectl.ok(["uncordon", first]);
        expect(await kubectl.ok(["get", "node", first, "--no-headers"])).toMatch(/ Ready /);
        await kubectl.ok("rollout restart deployment/web");
        await kubectl.ok("rollout status deployment/web --timeout=50s");
        await readyPods(kubectl, "app=web", 4);
        for (const node of [first, ...others]) expect((await podsOn(kubectl, node)).length).toBeGreaterThan(0);
      },
      timeoutMs: 90_000,
    },
    {
      name: "a drained node empties, but for its daemons, and never below the disruption budget",
      async run({ cluster, kubectl }) {
        const [node = ""] = cluster.nodes;
        expect(await kubectl.fails(["drain", node, "--timeout=20s"])).toContain("cannot delete DaemonSet-managed Pods");
        let least = Number.POSITIVE_INFINITY;
        await using watched = kubectl.start([
          "get",
          "deployment",
          "web",
          "--watch",
          "-o",
          "jsonpath={.status.availableReplicas} ",
        ]);
        await watched.until(/\d /);
        await kubectl.ok(["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"], {
          timeoutMs: 70_000,
        });
        expect(await podsOn(kubectl, node)).toEqual([]);
        expect(await podsOn(kubectl, node, "app=everywhere")).toHaveLength(1);
        await readyPods(kubectl, "app=web", 4);
        for (const [, count] of watched.stdout.matchAll(/(\d+) /g)) least = Math.min(least, Number(count));
        expect(least).toBeGreaterThanOrEqual(3);
      },
      timeoutMs: 90_000,
    },
    {
      name: "a budget without room holds a drain up, and gives way when it has room again",
      async run({ cluster, kubectl }) {
        const [first = "", second = ""] = cluster.nodes;
        await kubectl.ok(["uncordon", first]);
        const budget = (minAvailable: number): Promise<string> =>
          kubectl.ok([
            "patch",
            "poddisruptionbudget",
            "web",
            "--type=merge",
            "-p",
            JSON.stringify({ spec: { minAvailable } }),
          ]);
        await budget(4);
        const settled = async (): Promise<true | undefined> => {
          const { status, metadata } = await kubectl.json("get poddisruptionbudget web");
          return status.observedGeneration === metadata.generation && status.disruptionsAllowed === 0
            ? true
            : undefined;
        };
        await eventually(settled, "the budget is used up");
        const before = (await podsOn(kubectl, second)).map(({ metadata }) => metadata.name).sort();
        const refused = await kubectl.fails([
          "drain",
          second,
          "--ignore-daemonsets",
          "--delete-emptydir-data",
          "--timeout=6s",
        ]);
        expect(refused).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
        expect((await podsOn(kubectl, second)).map(({ metadata }) => metadata.name).sort()).toEqual(before);
        await budget(2);
        await kubectl.ok(["drain", second, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"], {
          timeoutMs: 70_000,
        });
        expect(await podsOn(kubectl, second)).toEqual([]);
        await kubectl.ok(["uncordon", second]);
        await readyPods(kubectl, "app=web", 4);
      },
      timeoutMs: 120_000,
    },
  ],
};

export const dyingNodes: Scenario = {
  name: "dying-nodes",
  needsAgents: true,
  steps: [
    {
      name: "a node agent killed with -9 and started again takes over what runs",
      async run({ cluster, kubectl, manifest }) {
        const [node = ""] = cluster.nodes;
        await kubectl.ok("apply -f -", { stdin: await manifest("nodes.yaml") });
        await readyPods(kubectl, "app=web", 4);
        const identity = (pods: readonly Json[]): unknown =>
          pods.map(
            ({
              metadata,
              status: {
                podIP,
                containerStatuses: [main],
              },
            }) => [...[metadata.uid, podIP, main.containerID, main.state.running.startedAt, main.restartCount]],
          );
        const before = await podsOn(kubectl, node);
        expect(before.length).toBeGreaterThan(0);
        const [pod] = before;
        const url = `http://${pod?.status.podIP}:8080/`;
        await agentsOf(cluster).kill(node);
        expect(await answersOnNode(cluster, url)).toBe(true);
        await kubectl.fails(["exec", pod?.metadata.name ?? "", "--", "true"]);
        await agentsOf(cluster).start(node);
        const name = pod?.metadata.name ?? "";
        await eventually(
          async () => ((await kubectl.run(["exec", name, "--", "sh", "-c", "exit 0"])).code === 0 ? true : undefined),
          "the agent serves again",
        );
        expect(await answersOnNode(cluster, url)).toBe(true);
        await readyPods(kubectl, "app=web", 4);
        expect(identity(await podsOn(kubectl, node))).toEqual(identity(before));
        // It is not only known but cared for: what is deleted ends.
        await kubectl.ok(["delete", "pod", name, "--timeout=20s"]);
        expect(await answersOnNode(cluster, url)).toBe(false);
        await readyPods(kubectl, "app=web", 4);
      },
    },
    {
      name: "a dead node's pods move, and it cleans up when it comes back",
      async run({ cluster, kubectl }) {
        const [dead = "", ...others] = cluster.nodes;
        const lost = (await podsOn(kubectl, dead)).map(({ metadata }) => metadata.name);
        expect(lost.length).toBeGreaterThan(0);
        await agentsOf(cluster).kill(dead);
        await agentsOf(cluster).endPods(dead);
        await eventually(
          async () => ((await readiness(kubectl, dead)) === "Unknown" ? true : undefined),
          "it counts as dead",
          80_000,
        );
        const moved = async (): Promise<true | undefined> => {
          const living = await Promise.all(others.map((node) => podsOn(kubectl, node)));
          const ready = living.flat().filter(({ status }) => status.containerStatuses?.[0]?.ready);
          return ready.length === 4 ? true : undefined;
        };
        await eventually(moved, "all pods run elsewhere", 60_000);
        const { spec } = await kubectl.json(`get node ${dead}`);
        expect(spec.taints.map(({ key, effect }: { key: string; effect: string }) => `${key}:${effect}`)).toContain(
          "node.kubernetes.io/unreachable:NoExecute",
        );
        await agentsOf(cluster).start(dead);
        const back = async (): Promise<true | undefined> =>
          (await readiness(kubectl, dead)) === "True" &&
          (await kubectl.json(`get node ${dead}`)).spec.taints === undefined
            ? true
            : undefined;
        await eventually(back, "it is Ready, without taints");
        const gone = async (): Promise<true | undefined> => {
          const names = (await podsOn(kubectl, dead)).map(({ metadata }) => metadata.name);
          return lost.some((name) => names.includes(name)) ? undefined : true;
        };
        await eventually(gone, "the pods that it lost are gone");
        await readyPods(kubectl, "app=web", 4);
      },
      timeoutMs: 200_000,
    },
  ],
};
