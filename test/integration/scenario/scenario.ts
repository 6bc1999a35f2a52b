import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Kubectl } from "../support/kubectl.js";

/** What the scenario needs to know of a cluster, whatever it is made of. */
export interface ScenarioCluster extends AsyncDisposable {
  readonly name: string;
  /** As administrator. */
  readonly kubectl: Kubectl;
  /** At least two. */
  readonly nodes: readonly string[];
  readonly images: {
    /** Answers on port 8080 with its pod's name. */
    readonly web: string;
    readonly webNew: string;
    /** Has `sh`, `cat`, `tar` and the like. */
    readonly shell: string;
  };
  /** A command that prints the body of one HTTP answer, run on this machine; from there it reaches what a node reaches. */
  fetchFromNode(url: string): readonly string[];
  /** The same, within a container of the shell image. */
  fetchFromPod(url: string): readonly string[];
  /** Whether the kernel holds containers to what they may use. */
  readonly enforcesLimits?: boolean;
  /** The node agents; absent: they are no programs of their own. */
  readonly agents?: NodeAgents;
  /** What its parts complained about. */
  log(): string;
}

export interface NodeAgents {
  /** kill -9. Its pods go on. */
  kill(node: string): Promise<void>;
  start(node: string): Promise<void>;
  /** Ends the pods of a node whose agent is dead, as a power cut does. */
  endPods(node: string): Promise<void>;
}

export interface StepContext {
  readonly cluster: ScenarioCluster;
  /** In the scenario's own namespace. */
  readonly kubectl: Kubectl;
  /** The text of testdata/scenario/<file> with this cluster's images, and its second node. */
  manifest(file: string): Promise<string>;
}

export interface Step {
  readonly name: string;
  run(context: StepContext): Promise<void>;
  readonly timeoutMs?: number;
}

/** Steps in their order in a namespace of their own, which is made before them and deleted after them. */
export interface Scenario {
  readonly name: string;
  readonly needsAgents?: boolean;
  readonly steps: readonly Step[];
}

const folder = new URL("../../../testdata/scenario/", import.meta.url);

/** Registers the scenarios as tests of one cluster. */
export function describeScenarios(
  name: string,
  start: () => Promise<ScenarioCluster>,
  scenarios: readonly Scenario[],
): void {
  describe(name, () => {
    let cluster: ScenarioCluster;
    beforeAll(async () => {
      cluster = await start();
    }, 300_000);
    afterAll(async () => {
      await cluster?.[Symbol.asyncDispose]();
    }, 120_000);

    for (const scenario of scenarios) {
      describe(scenario.name, () => {
        const namespace = `scenario-${scenario.name}`;
        beforeAll(async () => {
          if (scenario.needsAgents && cluster.agents === undefined)
            throw new Error("its node agents cannot be killed alone");
          await cluster.kubectl.ok(["create", "namespace", namespace]);
        });
        for (const step of scenario.steps) {
          const run = async (): Promise<void> => {
            const kubectl = cluster.kubectl.in(namespace);
            const manifest = (file: string): Promise<string> => readManifest(file, cluster);
            await step.run({ cluster, kubectl, manifest }).catch(async (error: unknown) => {
              const seen = await kubectl.run("get all -o wide");
              const events = await kubectl.run("get events --sort-by=.metadata.creationTimestamp --no-headers");
              const latest = events.stdout.split("\n").slice(-15).join("\n");
              const message = error instanceof Error ? error.message : String(error);
              throw new Error(`${message}\n${seen.stdout}\n${latest}\n${cluster.log().slice(-2000)}`, {
                cause: error,
              });
            });
          };
          test(step.name, { timeout: step.timeoutMs ?? 60_000 }, run);
        }
        test("its namespace goes with everything in it", { timeout: 90_000 }, async () => {
          const { kubectl } = cluster;
          await kubectl.ok(["delete", "namespace", namespace, "--timeout=80s"]);
          expect(await kubectl.fails(["get", "namespace", namespace])).toContain(`namespaces "${namespace}" not found`);
          expect((await kubectl.in(namespace).json("get all,configmaps,secrets,events")).items).toEqual([]);
        });
      });
    }

    test("no part of it has warned of a leak", () => {
      expect(cluster.log()).not.toContain("MaxListenersExceededWarning");
    });
  });
}

async function readManifest(file: string, cluster: ScenarioCluster): Promise<string> {
  const text = await readFile(new URL(file, folder), "utf8");
  return text
    .replace("{{node}}", cluster.nodes[1] ?? "")
    .replace(/\{\{(web|webNew|shell)\}\}/g, (_, image: keyof ScenarioCluster["images"]) => cluster.images[image]);
}

/** The names of the pods with these labels that are not going. */
export async function podNames(kubectl: Kubectl, selector: string): Promise<readonly string[]> {
  const { items } = await kubectl.json(["get", "pods", "-l", selector]);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(({ metadata }) => metadata.name);
}

/** Resolves when as many pods as wanted have these labels, and no more, and each is Ready; gives their names. */
export function readyPods(
  kubectl: Kubectl,
  selector: string,
  count: number,
  timeoutMs = 60_000,
): Promise<readonly string[]> {
  const look = async (): Promise<readonly string[] | undefined> => {
    const { items } = await kubectl.json(["get", "pods", "-l", selector]);
    const ready = items.filter(({ status }) =>
      status.conditions?.some(
        (condition: { type: string; status: string }) => condition.type === "Ready" && condition.status === "True",
      ),
    );
    return items.length === count && ready.length === count ? ready.map(({ metadata }) => metadata.name) : undefined;
  };
  return eventually(look, `${count} pods of ${selector} are Ready`, timeoutMs);
}
