import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Scenario } from "./scenario.js";

const hostMounts = async (podUid: string): Promise<readonly string[]> =>
  (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(podUid));

let uid = "";

/** What the kernel of a real node does for pods. */
export const kernel: Scenario = {
  name: "kernel",
  needsAgents: true,
  steps: [
    {
      name: "what is to be in memory is, no larger than it says",
      async run({ kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("kernel.yaml") });
        await kubectl.ok("wait --for=condition=Ready pod/memory --timeout=50s");
        const mounts = await kubectl.ok("exec memory -- cat /proc/mounts");
        expect(mounts).toMatch(/ \/scratch tmpfs \S*size=1024k/);
        expect(mounts).toMatch(/ \/password tmpfs /);
        expect(await kubectl.ok("exec memory -- cat /password/word")).toBe("hush");
        expect(await kubectl.fails("exec memory -- dd if=/dev/zero of=/scratch/large bs=1M count=2")).toMatch(
          /No space left/,
        );
        await kubectl.ok(["exec", "memory", "--", "sh", "-c", "rm /scratch/large; echo kept > /scratch/word"]);
        uid = (await kubectl.json("get pod memory")).metadata.uid;
        expect(await hostMounts(uid)).not.toEqual([]);
      },
      timeoutMs: 90_000,
    },
    {
      name: "it outlives the node agent, and goes with the pod",
      async run({ kubectl, cluster }) {
        const node = (await kubectl.json("get pod memory")).spec.nodeName;
        await cluster.agents?.kill(node);
        await cluster.agents?.start(node);
        await kubectl.ok(["wait", "--for=condition=Ready", `node/${node}`, "--timeout=50s"]);
        await eventually(async () => {
          const { code, stdout } = await kubectl.run("exec memory -- cat /scratch/word");
          return code === 0 && stdout === "kept\n" ? true : undefined;
        }, "what was written is there");
        await kubectl.ok("delete pod memory --timeout=40s");
        await eventually(async () => ((await hostMounts(uid)).length === 0 ? true : undefined), "no mount is left");
      },
      timeoutMs: 120_000,
    },
    {
      name: "a part of a volume that cannot be named yet holds its container up until it can",
      async run({ kubectl }) {
        await eventually(async () => {
          const { status } = await kubectl.json("get pod below");
          const waiting = status.containerStatuses?.[0]?.state?.waiting;
          return waiting?.reason === "CreateContainerConfigError" &&
            waiting.message.includes("must not be an absolute path")
            ? true
            : undefined;
        }, "it says why it waits");
        await kubectl.ok("annotate pod below folder=named");
        await kubectl.ok("wait --for=condition=Ready pod/below --timeout=60s");
        expect(await kubectl.ok("logs below")).toBe("1\n");
      },
      timeoutMs: 120_000,
    },
    {
      name: "a pod in the host's network has the host's names and its own",
      async run({ kubectl }) {
        await kubectl.ok("wait --for=jsonpath={.status.phase}=Succeeded pod/hosts --timeout=50s");
        const own = await readFile("/etc/hosts", "utf8");
        expect(await kubectl.ok("logs hosts")).toBe(
          `# Kubernetes-managed hosts file (host network).\n${own}\n# Entries added by HostAliases.\n192.0.2.7\tseven\tsept\n`,
        );
      },
    },
    {
      name: "what comes from the API is read by the pod's group, a token by its user, and written by nobody",
      async run({ kubectl }) {
        await kubectl.ok("wait --for=jsonpath={.status.phase}=Failed pod/group --timeout=50s");
        const lines = (await kubectl.ok("logs group")).split("\n");
        const access = (name: string): string | undefined =>
          lines
            .find((line) => line.endsWith(` ${name}`))
            ?.match(/^(\S+) +\d+ (\d+) +(\d+) /)
            ?.slice(1)
            .join(" ");
        // What is written to either stream comes in the order in which it was read from them.
        expect(lines.some((line) => /^hush/.test(line))).toBe(true);
        expect(access("word")).toBe("-r--r----- 0 1001");
        expect(access("labels")).toBe("-rw-r--r-- 0 1001");
        expect(access("below")).toBe("drwxr-sr-x 0 1001");
        expect(access("token")).toBe("-rw-r----- 1000 1001");
        expect(lines.some((line) => line.endsWith("/projected/new: Read-only file system"))).toBe(true);
      },
    },
    {
      name: "a part of a volume is reached by links within it, written by whom the volume lets, and never outside it",
      async run({ kubectl }) {
        await eventually(
          async () =>
            (await kubectl.run("logs parts -c main")).stdout === "found\nfound\nown\nhello you\n" ? true : undefined,
          "it found its parts",
        );
        const { metadata, status } = await kubectl.json("get pod parts");
        for (const name of ["out", "up", "secret"]) {
          const { state } = status.containerStatuses.find((one: { readonly name: string }) => one.name === name);
          expect(state.waiting.reason).toBe("CreateContainerConfigError");
          expect(state.waiting.message).toMatch(/ leads out of the volume$/);
        }
        expect(await hostMounts(metadata.uid)).toHaveLength(4);
        await kubectl.ok("delete pod parts --timeout=40s");
        await eventually(
          async () => ((await hostMounts(metadata.uid)).length === 0 ? true : undefined),
          "no mount is left",
        );
      },
    },
  ],
};
