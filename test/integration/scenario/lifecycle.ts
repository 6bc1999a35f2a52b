import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Json, Kubectl } from "../support/kubectl.js";
import { sleepersWith } from "../support/processes.js";
import type { Scenario } from "./scenario.js";

interface ContainerStatus {
  readonly restartCount: number;
  readonly ready: boolean;
  readonly state: {
    readonly waiting?: { readonly reason: string; readonly message: string };
    readonly running?: { readonly startedAt: string };
    readonly terminated?: { readonly startedAt: string };
  };
  readonly lastState: {
    readonly terminated?: {
      readonly exitCode: number;
      readonly reason: string;
      readonly startedAt: string;
      readonly finishedAt: string;
    };
  };
}

const containerOf = async (kubectl: Kubectl, pod: string): Promise<ContainerStatus> =>
  (await kubectl.json(`get pod ${pod}`)).status.containerStatuses[0];

export const lifecycle: Scenario = {
  name: "lifecycle",
  steps: [
    {
      name: "init containers run in order, and containers get what they ask for",
      async run({ cluster, kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("lifecycle.yaml") });
        await kubectl.ok("wait --for=condition=Complete job/given --timeout=50s");
        const [greeting, node = "", ...rest] = (await kubectl.ok("logs job/given -c main")).trim().split("\n");
        expect(greeting).toBe("it is blue");
        expect(cluster.nodes.map((name) => `on ${name}`)).toContain(node);
        expect(rest).toEqual(["first", "second", "sesame"]);
        expect(await kubectl.ok("get job given --no-headers")).toMatch(/^given +Complete +1\/1 /);
      },
    },
    {
      name: "a killed container starts again",
      async run({ kubectl }) {
        await kubectl.ok("wait --for=condition=Ready pod/victim --timeout=30s");
        const { uid } = (await kubectl.json("get pod victim")).metadata;
        const processes = await sleepersWith(`SCENARIO_VICTIM=${uid}`);
        expect(processes).toHaveLength(1);
        for (const pid of processes) process.kill(pid, "SIGKILL");
        const restarted = await eventually(async () => {
          const container = await containerOf(kubectl, "victim");
          return container.restartCount === 1 && container.ready ? container : undefined;
        }, "it has started again");
        expect(restarted.lastState.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
        expect(await sleepersWith(`SCENARIO_VICTIM=${uid}`)).not.toEqual(processes);
        expect(await kubectl.ok("logs victim")).toBe("started\n");
        expect(await kubectl.ok("logs victim --previous")).toBe("started\n");
        expect((await kubectl.json("get pod victim")).metadata.uid).toBe(uid);
      },
    },
    {
      name: "one that fails again and again is started ever more seldom",
      async run({ kubectl }) {
        const waiting = await eventually(async () => {
          const container = await containerOf(kubectl, "crasher");
          return container.state.waiting?.reason === "CrashLoopBackOff" ? container : undefined;
        }, "it is held back");
        const { uid } = (await kubectl.json("get pod crasher")).metadata;
        expect(waiting.state.waiting?.message).toMatch(
          new RegExp(`^back-off \\d+s restarting failed container=main pod=crasher_${kubectl.namespace}\\(${uid}\\)$`),
        );
        expect(waiting.lastState.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
        // Ten seconds the first time, twice as long each time after that.
        const count = waiting.restartCount + 1;
        const startedAt = await eventually(
          async () => {
            const { restartCount, state, lastState } = await containerOf(kubectl, "crasher");
            if (restartCount !== count) return undefined;
            return (state.running ?? state.terminated ?? lastState.terminated)?.startedAt;
          },
          "its next restart",
          60_000,
        );
        const pauseMs = Date.parse(startedAt) - Date.parse(waiting.lastState.terminated?.finishedAt ?? "");
        // Times have whole seconds.
        expect(pauseMs).toBeGreaterThanOrEqual(10_000 * 2 ** (waiting.restartCount - 1) - 1_000);
        const events = await kubectl.json("get events --field-selector=involvedObject.name=crasher");
        const reasons = (events.items as readonly (Json & { readonly reason: string; readonly message: string })[]).map(
          ({ reason, message }) => `${reason}: ${message}`,
        );
        expect(reasons).toContain(
          `BackOff: Back-off restarting failed container main in pod crasher_${kubectl.namespace}(${uid})`,
        );
        const held = (): Promise<string> => kubectl.ok("get pod crasher --no-headers");
        const row = new RegExp(`^crasher +0/1 +CrashLoopBackOff +${count} `);
        await eventually(async () => (row.test(await held()) ? true : undefined), "it is held back again");
      },
      timeoutMs: 90_000,
    },
  ],
};
