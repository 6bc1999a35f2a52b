import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Kubectl } from "../support/kubectl.js";
import { readyPods, type Scenario } from "./scenario.js";

const counted = (text: string): number[] => [...text.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
const following = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => number === (numbers[0] ?? 0) + index);

/** Asks through a port that kubectl forwards. */
async function throughForward(kubectl: Kubectl, target: string, remotePort: number): Promise<readonly string[]> {
  await using forward = kubectl.start(["port-forward", target, `:${remotePort}`]);
  const [, port] = await forward.until(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/);
  const answers: string[] = [];
  for (let round = 0; round < 5; round++) {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    answers.push((await response.text()).trim());
  }
  expect(forward.running).toBe(true);
  return answers;
}

export const streams: Scenario = {
  name: "streams",
  steps: [
    {
      name: "logs follow, from the beginning, with nothing missing",
      async run({ kubectl, manifest }) {
        await kubectl.ok("apply -f -", { stdin: await manifest("talkers.yaml") });
        await readyPods(kubectl, "part=talker", 3);
        await using logs = kubectl.start("logs -f counter -c main");
        await logs.until(/^line 20$/m);
        const numbers = counted(logs.stdout);
        expect(numbers[0]).toBe(0);
        expect(following(numbers)).toBe(true);
      },
    },
    {
      name: "logs by tail, time, container, label, and a wrong name",
      async run({ kubectl }) {
        expect(await kubectl.ok("logs counter -c quiet --tail=2")).toBe("two\nonly this\n");
        const tail = counted(await kubectl.ok("logs counter -c main --tail=5"));
        // What is written while it reads comes too.
        expect(tail.length).toBeGreaterThanOrEqual(5);
        expect(tail[0]).toBeGreaterThan(0);
        expect(following(tail)).toBe(true);
        expect(counted(await kubectl.ok("logs counter -c main --since=1s")).length).toBeLessThan(25);
        const stamped = await kubectl.ok("logs counter -c quiet --timestamps --tail=1");
        expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) only this\n$/);
        expect(await kubectl.ok("logs counter")).toContain("line 0\n");
        const all = await kubectl.ok("logs -l part=talker --all-containers --prefix --tail=1");
        expect(all).toContain("[pod/counter/quiet] only this\n");
        expect(await kubectl.fails("logs counter -c nobody")).toContain(
          "container nobody is not valid for pod counter",
        );
        expect(await kubectl.fails("logs counter -c main --previous")).toContain(
          'previous terminated container "main" in pod "counter" not found',
        );
      },
    },
    {
      name: "exec hands over input, output, errors and the exit code",
      async run({ kubectl }) {
        expect(await kubectl.ok("exec -i counter -c main -- cat", { stdin: "to and fro\n" })).toBe("to and fro\n");
        const outcome = await kubectl.run([
          "exec",
          "counter",
          "-c",
          "quiet",
          "--",
          "sh",
          "-c",
          "echo out; echo err >&2; exit 7",
        ]);
        expect(outcome.stdout).toBe("out\n");
        expect(outcome.stderr).toContain("err\n");
        expect(outcome.stderr).toContain("command terminated with exit code 7");
        expect(outcome.code).toBe(7);
        expect(await kubectl.fails("exec counter -c main -- no-such-program")).toContain("no-such-program");
        const many = Buffer.alloc(300_000, "0123456789\n").toString();
        expect(await kubectl.ok("exec -i counter -c main -- cat", { stdin: many })).toBe(many);
      },
    },
    {
      name: "attach talks to what runs",
      async run({ kubectl }) {
        await using attached = kubectl.start("attach -i echo");
        attached.write("one\n");
        await attached.until(/^got one$/m);
        attached.write("two\n");
        await attached.until(/^got two$/m);
        expect(await kubectl.ok("logs echo")).toBe("got one\ngot two\n");
      },
    },
    {
      name: "port-forward reaches a pod, and a Service's pod",
      async run({ kubectl }) {
        expect(new Set(await throughForward(kubectl, "pod/web", 8080))).toEqual(new Set(["web"]));
        expect(new Set(await throughForward(kubectl, "service/web", 80))).toEqual(new Set(["web"]));
      },
    },
    {
      name: "cp carries files both ways unchanged",
      async run({ kubectl }) {
        const folder = await mkdtemp(join(tmpdir(), "scenario-cp-"));
        const content = randomBytes(700_000);
        const remote = `/tmp/${kubectl.namespace}-${process.pid}`;
        try {
          await writeFile(join(folder, "there"), content);
          await kubectl.ok(["cp", "-c", "main", join(folder, "there"), `counter:${remote}`]);
          await kubectl.ok(["cp", "-c", "main", `counter:${remote}`, join(folder, "back")]);
          const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
          expect(digest(await readFile(join(folder, "back")))).toBe(digest(content));
        } finally {
          await kubectl.run(["exec", "counter", "-c", "main", "--", "rm", "-f", remote]);
          await rm(folder, { recursive: true, force: true });
        }
      },
    },
    {
      name: "run starts a pod, waits for its output, and removes it",
      async run({ cluster, kubectl }) {
        const command = [
          "run",
          "once",
          "--rm",
          "-i",
          "--restart=Never",
          `--image=${cluster.images.shell}`,
          "--",
          "sh",
          "-c",
          "cat; echo done",
        ];
        const output = await kubectl.ok(command, { stdin: "said\n" });
        expect(output).toContain("said\n");
        expect(output).toContain("done\n");
        await eventually(async () => ((await kubectl.run("get pod once")).code === 1 ? true : undefined), "it is gone");
      },
    },
  ],
};
