import { expect } from "vitest";
import { eventually, runProgram } from "../support/cli-program.js";
import type { Kubectl } from "../support/kubectl.js";
import { podNames, readyPods, type Scenario, type ScenarioCluster, type StepContext } from "./scenario.js";

const addressOf = async (kubectl: Kubectl, service: string): Promise<string> =>
  (await kubectl.json(`get service ${service}`)).spec.clusterIP;

async function fromNode(cluster: ScenarioCluster, url: string): Promise<string | undefined> {
  const [command = "", ...args] = cluster.fetchFromNode(url);
  const { code, stdout } = await runProgram(command, args);
  return code === 0 ? stdout.trim() : undefined;
}

async function fromPod({ cluster, kubectl }: StepContext, url: string): Promise<string | undefined> {
  const { code, stdout } = await kubectl.run(["exec", "client", "--", ...cluster.fetchFromPod(url)]);
  return code === 0 ? stdout.trim() : undefined;
}

/** Who answers, asked this often. */
async function answers(
  ask: () => Promise<string | undefined>,
  times: number,
): Promise<ReadonlySet<string | undefined>> {
  const seen = new Set<string | undefined>();
  for (let round = 0; round < times; round += 4) {
    for (const answer of await Promise.all([ask(), ask(), ask(), ask()])) seen.add(answer);
  }
  return seen;
}

/** Asks until all of them, and nobody else, have answered. */
async function allAnswer(ask: () => Promise<string | undefined>, names: readonly string[]): Promise<void> {
  const seen = new Set<string | undefined>();
  const look = async (): Promise<true | undefined> => {
    for (const answer of await Promise.all([ask(), ask(), ask()])) seen.add(answer);
    return names.every((name) => seen.has(name)) ? true : undefined;
  };
  await eventually(look, `${names} answer`);
  expect([...seen].sort()).toEqual([...names].sort());
}

export const services: Scenario = {
  name: "services",
  steps: [
    {
      name: "a Service answers from each of its ready pods, on the node and in a pod",
      async run(context) {
        const { cluster, kubectl, manifest } = context;
        await kubectl.ok("apply -f -", { stdin: await manifest("services.yaml") });
        const names = await readyPods(kubectl, "tier=steady", 3);
        await kubectl.ok("wait --for=condition=Ready pod/client --timeout=30s");
        const url = `http://${await addressOf(kubectl, "web")}/`;
        await eventually(() => fromNode(cluster, url), "it answers at all");
        await allAnswer(() => fromNode(cluster, url), names);
        await allAnswer(() => fromPod(context, url), names);
      },
    },
    {
      name: "a pod that is not ready never answers, though it serves",
      async run({ cluster, kubectl }) {
        const url = `http://${await addressOf(kubectl, "web")}/`;
        const { status } = await kubectl.json("get pod gated");
        expect(await fromNode(cluster, `http://${status.podIP}:8080/`)).toBe("gated");
        const steady = new Set(await podNames(kubectl, "tier=steady"));
        expect(await answers(() => fromNode(cluster, url), 40)).toEqual(steady);
        const slices = await kubectl.json("get endpointslices -l kubernetes.io/service-name=web");
        const endpoints = slices.items.flatMap((slice) => (slice as unknown as { endpoints: Endpoint[] }).endpoints);
        expect(endpoints.filter(({ conditions }) => !conditions.ready).map(({ targetRef }) => targetRef.name)).toEqual([
          "gated",
        ]);
      },
    },
    {
      name: "it answers as soon as it is ready, and no more when it is ready no more",
      async run({ cluster, kubectl }) {
        const url = `http://${await addressOf(kubectl, "web")}/`;
        const ask = (): Promise<string | undefined> => fromNode(cluster, url);
        const steady = await podNames(kubectl, "tier=steady");
        const gate = (script: string): Promise<string> =>
          kubectl.ok(["exec", "gated", "-c", "gate", "--", "sh", "-c", script]);
        await gate(`if [ -d /gate ]; then : > /gate/open; else : > "$COXSWAIN_ROOT/gate/open"; fi`);
        await kubectl.ok("wait --for=condition=Ready pod/gated --timeout=20s");
        await allAnswer(ask, [...steady, "gated"]);
        await gate(`rm -f /gate/open "$COXSWAIN_ROOT/gate/open"`);
        await kubectl.ok("wait --for=condition=Ready=false pod/gated --timeout=20s");
        await eventually(
          async () => ((await answers(ask, 12)).has("gated") ? undefined : true),
          "the proxy has heard of it",
        );
        expect(await answers(ask, 40)).toEqual(new Set(steady));
      },
    },
    {
      name: "a pod that goes is replaced without a call unanswered",
      async run({ cluster, kubectl }) {
        const url = `http://${await addressOf(kubectl, "web")}/`;
        const [leaving = ""] = await podNames(kubectl, "tier=steady");
        await kubectl.ok(["delete", "pod", leaving]);
        const names = await readyPods(kubectl, "tier=steady", 3);
        expect(names).not.toContain(leaving);
        await allAnswer(() => fromNode(cluster, url), names);
      },
    },
    {
      name: "a client that sticks stays with one pod",
      async run({ cluster, kubectl }) {
        const url = `http://${await addressOf(kubectl, "sticky")}/`;
        const seen = await answers(() => fromNode(cluster, url), 12);
        expect(seen.size).toBe(1);
        expect(await podNames(kubectl, "tier=steady")).toContain([...seen][0]);
      },
    },
    {
      name: "a Service without pods, and one that is gone, answer nobody",
      async run({ cluster, kubectl }) {
        const url = `http://${await addressOf(kubectl, "web")}/`;
        await kubectl.ok("delete pod gated");
        await kubectl.ok("scale deployment web --replicas=0");
        await readyPods(kubectl, "app=web", 0);
        await eventually(
          async () => ((await fromNode(cluster, url)) === undefined ? true : undefined),
          "nobody answers",
        );
        await kubectl.ok("scale deployment web --replicas=1");
        await eventually(() => fromNode(cluster, url), "one answers again");
        await kubectl.ok("delete service web");
        await eventually(
          async () => ((await fromNode(cluster, url)) === undefined ? true : undefined),
          "the address is gone",
        );
      },
    },
  ],
};

interface Endpoint {
  readonly conditions: { readonly ready?: boolean };
  readonly targetRef: { readonly name: string };
}
