import { expect, test } from "vitest";
import { silentLogger } from "../../internal/logger.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { FakeRuntime, type Image, type PodSandboxConfig } from "../../runtime/index.js";
import type { SignalReading } from "../eviction/usage.js";
import { type ImageCollectionOptions, ImageCollector } from "./image-collector.js";

const minute = 60_000;
const never = new AbortController().signal;

/** Its images have sizes, and may be pinned or stuck. */
class SizedRuntime extends FakeRuntime {
  readonly pinned = new Set<string>();
  readonly stuck = new Set<string>();
  override async listImages(): Promise<readonly Image[]> {
    return (await super.listImages()).map((image) => ({
      ...image,
      sizeBytes: 100,
      pinned: image.repoTags.some((tag) => this.pinned.has(tag)),
    }));
  }
  override async removeImage(reference: string): Promise<void> {
    for (const tag of this.stuck) if (reference.endsWith(tag)) throw new Error(`${tag} is stuck`);
    await super.removeImage(reference);
  }
}

interface Setup {
  readonly clock: VirtualClock;
  readonly runtime: SizedRuntime;
  readonly collector: ImageCollector;
  readonly events: string[];
  readonly removed: string[];
  disk: SignalReading | undefined;
  tags(): Promise<readonly string[]>;
  /** Runs a container of that image, and gives how to end and remove it. */
  use(tag: string): Promise<() => Promise<void>>;
}

function setup(options: ImageCollectionOptions = {}): Setup {
  const clock = new VirtualClock();
  const runtime = new SizedRuntime({ clock });
  const [events, removed]: [string[], string[]] = [[], []];
  const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
  const setup: Setup = {
    clock,
    runtime,
    events,
    removed,
    disk: { available: 500, capacity: 1000 },
    collector: new ImageCollector({
      ...{ options, runtime, clock, logger: silentLogger },
      fileSystem: async () => setup.disk,
      nodeEvent: (type, reason, message) => events.push(`${type} ${reason} ${message}`),
      onRemoved: (reason) => removed.push(reason),
    }),
    tags: async () => (await runtime.listImages()).flatMap(({ repoTags }) => repoTags).sort(),
    async use(tag) {
      const config: PodSandboxConfig = {
        metadata: { name: tag, namespace: "d", uid: tag, attempt: 0 },
        hostname: "",
        portMappings: [],
        labels: {},
        annotations: {},
        security: { namespaces },
      };
      const sandboxId = await runtime.runPodSandbox(config);
      const image = await runtime.pullImage(tag);
      const container = { metadata: { name: "c", attempt: 0 }, image, command: [], args: [], env: [], mounts: [] };
      await runtime.createContainer(sandboxId, { ...container, labels: {}, annotations: {}, security: { namespaces } });
      return () => runtime.removePodSandbox(sandboxId);
    },
  };
  return setup;
}

test("above the high mark unused images go until the low one is reached, those first that were not used for the longest", async () => {
  const s = setup();
  for (const tag of ["a", "b", "c", "d", "e"]) await s.runtime.pullImage(tag);
  const ends = [await s.use("b"), await s.use("used"), await s.use("c")];
  await s.collector.collect(never);
  await s.clock.advance(minute);
  await ends[0]?.();
  await s.collector.collect(never);
  await ends[2]?.();
  s.runtime.pinned.add("a");
  s.disk = { available: 150, capacity: 1000 };
  // 50 to free, and the first that goes has 100: d, of those that were never used.
  await s.collector.collect(never);
  expect(await s.tags()).toEqual(["a", "b", "c", "e", "used"]);
  s.disk = { available: 0, capacity: 1000 };
  // 200 to free: e was never used, b before c.
  await s.collector.collect(never);
  expect(await s.tags()).toEqual(["a", "c", "used"]);
  expect(s.removed).toEqual(["space", "space", "space"]);
  expect(s.events).toEqual([]);
});

test("below the high mark nothing goes", async () => {
  const s = setup();
  await s.runtime.pullImage("a");
  s.disk = { available: 160, capacity: 1000 };
  await s.collector.collect(never);
  s.disk = undefined;
  await s.collector.collect(never);
  expect(await s.tags()).toEqual(["a"]);
});

test("what came a moment ago stays, what was there before the agent does not", async () => {
  const s = setup();
  await s.runtime.pullImage("before");
  await s.collector.collect(never);
  await s.runtime.pullImage("new");
  await s.collector.removeUnused(never);
  expect(await s.tags()).toEqual(["new"]);
  await s.clock.advance(2 * minute - 1);
  await s.collector.removeUnused(never);
  expect(await s.tags()).toEqual(["new"]);
  await s.clock.advance(1);
  await s.collector.removeUnused(never);
  expect(await s.tags()).toEqual([]);
});

test("when too little can be freed the node is told so, and when that goes on, that collecting fails", async () => {
  const s = setup();
  await s.use("used");
  await s.runtime.pullImage("a");
  s.disk = { available: 2 ** 30, capacity: 10 * 2 ** 30 };
  const stop = new AbortController();
  const running = s.collector.run(stop.signal);
  await s.clock.advance(0);
  const short = (freed: number): string =>
    `Insufficient free disk space on the node's image filesystem (90% of 10.0 GiB used). Failed to free sufficient space by deleting unused images (freed ${freed} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.`;
  expect(s.events).toEqual([`Warning FreeDiskSpaceFailed ${short(100)}`]);
  await s.clock.advance(5 * minute);
  expect(s.events.slice(1)).toEqual([`Warning FreeDiskSpaceFailed ${short(0)}`, `Warning ImageGCFailed ${short(0)}`]);
  s.disk = { available: 5 * 2 ** 30, capacity: 10 * 2 ** 30 };
  await s.clock.advance(10 * minute);
  expect(s.events).toHaveLength(3);
  stop.abort();
  await running;
});

test("images that cannot be removed do not keep the others", async () => {
  const s = setup();
  for (const tag of ["a", "b"]) await s.runtime.pullImage(tag);
  s.runtime.stuck.add("a");
  s.disk = { available: 0, capacity: 1000 };
  await expect(s.collector.collect(never)).rejects.toThrow(
    "wanted to free 200 bytes, but freed 100 bytes space with errors in image deletion: a is stuck",
  );
  expect(await s.tags()).toEqual(["a"]);
});

test("whatever space there is, images that nobody used for too long go, once the agent has watched for so long", async () => {
  const s = setup({ maximumAgeSeconds: 3600, highThresholdPercent: 100 });
  const stop = new AbortController();
  await s.runtime.pullImage("old");
  const end = await s.use("used");
  const running = s.collector.run(stop.signal);
  await s.clock.advance(40 * minute);
  await end();
  await s.clock.advance(15 * minute);
  expect(await s.tags()).toEqual(["old", "used"]);
  await s.clock.advance(15 * minute);
  expect(await s.tags()).toEqual(["used"]);
  await s.clock.advance(45 * minute);
  expect(await s.tags()).toEqual([]);
  expect(s.removed).toEqual(["age", "age"]);
  stop.abort();
  await running;
});

test.each<[string, ImageCollectionOptions, string]>([
  [
    "a mark that is no percentage",
    { highThresholdPercent: 101 },
    "invalid HighThresholdPercent 101, must be in range [0-100]",
  ],
  [
    "a low mark above the high one",
    { lowThresholdPercent: 90 },
    "LowThresholdPercent 90 can not be higher than HighThresholdPercent 85",
  ],
  ["a largest age below the least", { maximumAgeSeconds: 60 }, "must be higher than their minimum age"],
])("%s is refused", (_name, options, message) => {
  expect(() => setup(options)).toThrow(message);
});
