import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Kubectl } from "../support/kubectl.js";
import { limitsOf, sleepersWith } from "../support/processes.js";
import type { Scenario } from "./scenario.js";

interface Amounts {
  readonly cpu?: string;
  readonly memory?: string;
}

async function resize(kubectl: Kubectl, pod: string, requests: Amounts, limits: Amounts): Promise<number> {
  const patch = { spec: { containers: [{ name: "main", resources: { requests, limits } }] } };
  await kubectl.ok(["patch", "pod", pod, "--subresource", "resize", "--patch", JSON.stringify(patch)]);
  return (await kubectl.json(`get pod ${pod}`)).metadata.generation ?? 0;
}

interface Condition {
  readonly type: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

async function condition(kubectl: Kubectl, pod: string, type: string): Promise<Condition | undefined> {
  const { status } = await kubectl.json(`get pod ${pod}`);
  return (status.conditions as readonly Condition[]).find((one) => one.type === type);
}

/** Resolves with the container's status once its resources are those of this generation of the pod, and nothing is under way. */
async function resized(
  kubectl: Kubectl,
  pod: string,
  generation: number,
): Promise<{
  readonly restartCount: number;
  readonly resources: { readonly limits: Amounts; readonly requests: Amounts };
}> {
  return eventually(async () => {
    const { status, spec } = await kubectl.json(`get pod ${pod}`);
    const [container] = status.containerStatuses;
    const under = (status.conditions as readonly Condition[]).some(({ type }) => type.startsWith("PodResize"));
    const same = JSON.stringify(container.resources) === JSON.stringify(spec.containers[0].resources);
    const seen = status.observedGeneration >= generation && container.state.running !== undefined;
    return seen && !under && same ? container : undefined;
  }, `${pod} is resized`);
}

async function events(kubectl: Kubectl, pod: string): Promise<readonly string[]> {
  const { items } = await kubectl.json(`get events --field-selector=involvedObject.name=${pod}`);
  return (items as readonly (object & { reason?: string; message?: string })[]).map(
    ({ reason, message }) => `${reason} ${message}`,
  );
}

const megabytes = 2 ** 20;

export const resizing: Scenario = {
  name: "resizing",
  steps: [
    {
      name: "a running pod gets other resources, and is not restarted",
      async run({ cluster, kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("resizing.yaml") });
        await kubectl.ok("wait --for=condition=Ready pod/resized pod/restarted --timeout=50s");
        const { uid } = (await kubectl.json("get pod resized")).metadata;
        const [pid = 0] = await sleepersWith(`SCENARIO_RESIZED=${uid}`);
        if (cluster.enforcesLimits) {
          const before = { cpu: "20000", memory: String(128 * megabytes) };
          expect(await limitsOf(pid)).toEqual({ container: before, pod: before });
        }
        const requests = { cpu: "150m", memory: "96Mi" };
        const limits = { cpu: "300m", memory: "192Mi" };
        const generation = await resize(kubectl, "resized", requests, limits);
        const container = await resized(kubectl, "resized", generation);
        expect(container).toMatchObject({
          restartCount: 0,
          resources: { requests, limits },
          allocatedResources: requests,
        });
        expect(await sleepersWith(`SCENARIO_RESIZED=${uid}`)).toEqual([pid]);
        if (cluster.enforcesLimits) {
          const after = { cpu: "30000", memory: String(192 * megabytes) };
          expect(await limitsOf(pid)).toEqual({ container: after, pod: after });
        }
        const summary = `{"containers":[{"name":"main","resources":{"limits":{"cpu":"300m","memory":"192Mi"},"requests":{"cpu":"150m","memory":"96Mi"}}}],"generation":${generation}}`;
        const completed = `ResizeCompleted Pod resize completed: ${summary}`;
        const seen = await eventually(async () => {
          const found = await events(kubectl, "resized");
          return found.includes(completed) ? found : undefined;
        }, "the end of the resize is told");
        expect(seen).toContain(`ResizeStarted Pod resize started: ${summary}`);
      },
    },
    {
      name: "its limit is not set below what it uses, which outlives its agent",
      async run({ cluster, kubectl }) {
        if (!cluster.enforcesLimits) return;
        await kubectl.ok(["exec", "resized", "--", "sh", "-c", "head -c 50000000 /dev/zero > /dev/shm/held"]);
        await resize(kubectl, "resized", { memory: "16Mi" }, { memory: "32Mi" });
        const refused = async (): Promise<Condition | undefined> => {
          const found = await condition(kubectl, "resized", "PodResizeInProgress");
          return found?.reason === "Error" ? found : undefined;
        };
        const { message } = await eventually(refused, "the limit is refused");
        const sentence = "memory limit \\(33554432\\) below current usage \\(\\d+\\)";
        expect(message).toMatch(
          new RegExp(
            `^cannot decrease memory limits: \\[attempting to set pod ${sentence}, attempting to set container "main" ${sentence}\\]$`,
          ),
        );
        const { spec, metadata } = await kubectl.json("get pod resized");
        const promised = async (): Promise<unknown> =>
          (await kubectl.json("get pod resized")).status.containerStatuses[0].allocatedResources;
        expect(await promised()).toEqual({ cpu: "150m", memory: "16Mi" });
        await cluster.agents?.kill(spec.nodeName);
        await cluster.agents?.start(spec.nodeName);
        await eventually(refused, "it is refused by the next agent too");
        expect(await promised()).toEqual({ cpu: "150m", memory: "16Mi" });
        const free = async (): Promise<true | undefined> => {
          const { code } = await kubectl.run(["exec", "resized", "--", "rm", "-f", "/dev/shm/held"]);
          return code === 0 ? true : undefined;
        };
        await eventually(free, "the next agent serves");
        const { restartCount, resources } = await resized(kubectl, "resized", metadata.generation ?? 0);
        expect({ restartCount, memory: resources.limits.memory }).toEqual({ restartCount: 0, memory: "32Mi" });
        const [pid = 0] = await sleepersWith(`SCENARIO_RESIZED=${metadata.uid}`);
        const after = { cpu: "30000", memory: String(32 * megabytes) };
        expect(await limitsOf(pid)).toEqual({ container: after, pod: after });
      },
    },
    {
      name: "more than the node has is infeasible, and changes nothing",
      async run({ kubectl }) {
        const { spec, status } = await kubectl.json("get pod resized");
        const node = await kubectl.json(`get node ${spec.nodeName}`);
        const millis = (text: string): number => (text.endsWith("m") ? Number.parseInt(text, 10) : Number(text) * 1000);
        const capacity = millis(node.status.allocatable.cpu);
        const generation = await resize(kubectl, "resized", { cpu: `${capacity + 1}m` }, { cpu: `${capacity + 1}m` });
        const refused = await eventually(() => condition(kubectl, "resized", "PodResizePending"), "it is refused");
        expect(refused).toMatchObject({
          reason: "Infeasible",
          message: `Node didn't have enough capacity: cpu, requested: ${capacity + 1}, capacity: ${capacity}`,
          observedGeneration: generation,
        });
        const now = await kubectl.json("get pod resized");
        expect(now.status.containerStatuses[0].resources).toEqual(status.containerStatuses[0].resources);
        const wider = { containers: [{ name: "main", resources: { requests: { cpu: "1m" }, limits: { cpu: "2m" } } }] };
        const patch = JSON.stringify({ spec: wider });
        await kubectl.ok(["patch", "pod", "resized", "--subresource", "resize", "--patch", patch]);
        await resized(kubectl, "resized", generation + 1);
      },
    },
    {
      name: "a container whose policy says so is started anew",
      async run({ cluster, kubectl }) {
        const { uid } = (await kubectl.json("get pod restarted")).metadata;
        const before = await sleepersWith(`SCENARIO_RESTARTED=${uid}`);
        const generation = await resize(kubectl, "restarted", { memory: "48Mi" }, { memory: "96Mi" });
        const { restartCount } = await resized(kubectl, "restarted", generation);
        expect(restartCount).toBe(1);
        const [pid = 0] = await sleepersWith(`SCENARIO_RESTARTED=${uid}`);
        expect(before).not.toContain(pid);
        if (cluster.enforcesLimits) {
          const after = { cpu: "10000", memory: String(96 * megabytes) };
          expect(await limitsOf(pid)).toEqual({ container: after, pod: after });
        }
        expect(await events(kubectl, "restarted")).toContain("Killing Container main resize requires restart");
      },
    },
    {
      name: "its QoS class may not change",
      async run({ kubectl }) {
        const resources = { requests: { cpu: "50m", memory: "48Mi" }, limits: { cpu: "50m", memory: "48Mi" } };
        const patch = JSON.stringify({ spec: { containers: [{ name: "main", resources }] } });
        expect(
          await kubectl.fails(["patch", "pod", "restarted", "--subresource", "resize", "--patch", patch]),
        ).toContain("Pod QOS Class may not change as a result of resizing");
      },
    },
  ],
};
