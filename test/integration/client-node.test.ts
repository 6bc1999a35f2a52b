import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import * as k8s from "client-node-1.4";
import { type LocalCluster, startLocalCluster } from "coxswain/cluster";
import { MemoryStore } from "coxswain/store";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./support/cli-program.js";

// The client library that JavaScript programs use, against a cluster of this machine's processes.
let folder = "";
let store: MemoryStore;
let cluster: LocalCluster;
let config: k8s.KubeConfig;
let core: k8s.CoreV1Api;
let apps: k8s.AppsV1Api;
let objects: k8s.KubernetesObjectApi;
const namespace = "default";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "coxswain-client-node-"));
  store = new MemoryStore();
  cluster = await startLocalCluster({ store, dataDir: folder, nodes: 1, port: 0 });
  config = new k8s.KubeConfig();
  config.loadFromFile(cluster.kubeconfigPath);
  core = config.makeApiClient(k8s.CoreV1Api);
  apps = config.makeApiClient(k8s.AppsV1Api);
  objects = k8s.KubernetesObjectApi.makeApiClient(config);
  await eventually(
    () => core.readNamespacedServiceAccount({ name: "default", namespace }).catch(() => undefined),
    "it",
  );
});

afterAll(async () => {
  await cluster?.stop();
  await store?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What was written, as text. */
class Collected extends Writable {
  text = "";
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe("objects", () => {
  test("are made, read, replaced, listed by pages and deleted", async () => {
    const names = ["a", "b", "c"];
    for (const name of names) {
      const made = await core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name, labels: { set: "x" } }, data: { k: name } },
      });
      expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date);
    }
    const first = await core.listNamespacedConfigMap({ namespace, labelSelector: "set=x", limit: 2 });
    const rest = await core.listNamespacedConfigMap({
      namespace,
      labelSelector: "set=x",
      limit: 2,
      _continue: first.metadata?._continue ?? "",
    });
    expect([...first.items, ...rest.items].map(({ metadata }) => metadata?.name)).toEqual(names);
    const read = await core.readNamespacedConfigMap({ namespace, name: "a" });
    await core.replaceNamespacedConfigMap({ namespace, name: "a", body: { ...read, data: { k: "new" } } });
    const stale = core.replaceNamespacedConfigMap({ namespace, name: "a", body: { ...read, data: { k: "old" } } });
    await expect(stale).rejects.toMatchObject({ code: 409 });
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: "set=x" });
    await expect(core.readNamespacedConfigMap({ namespace, name: "a" })).rejects.toMatchObject({
      code: 404,
      body: expect.stringContaining('configmaps \\"a\\" not found'),
    });
  });

  test("are patched in each way, and applied", async () => {
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "p", namespace }, data: { a: "1" } };
    await objects.create(body);
    const strategies = [
      k8s.PatchStrategy.MergePatch,
      k8s.PatchStrategy.StrategicMergePatch,
      k8s.PatchStrategy.ServerSideApply,
    ];
    for (const strategy of strategies) {
      const data = { [strategy.replace(/\W/g, "-")]: "1" };
      const patched = (await objects.patch(
        { ...body, data },
        undefined,
        undefined,
        "tester",
        strategy === k8s.PatchStrategy.ServerSideApply ? true : undefined,
        strategy,
      )) as k8s.V1ConfigMap;
      expect(patched.data, strategy).toMatchObject(data);
    }
    const operations = [{ op: "replace", path: "/data/a", value: "2" }];
    const patched = await core.patchNamespacedConfigMap(
      { namespace, name: "p", body: operations },
      k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.JsonPatch),
    );
    expect(patched.data?.["a"]).toBe("2");
    expect(patched.metadata?.managedFields?.map(({ operation }) => operation)).toContain("Apply");
    await objects.delete(body);
  });

  test("of kinds that the library does not know go through discovery", async () => {
    await objects.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", x_kubernetes_preserve_unknown_fields: true } },
          },
        ],
      },
    } as k8s.V1CustomResourceDefinition);
    const widget = { apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w", namespace }, size: 1 };
    const custom = config.makeApiClient(k8s.CustomObjectsApi);
    const place = { group: "example.com", version: "v1", namespace, plural: "widgets" };
    const made = (): Promise<true | undefined> =>
      custom.createNamespacedCustomObject({ ...place, body: widget }).then(
        () => true,
        () => undefined,
      );
    await eventually(made, "the widget");
    expect(await custom.listNamespacedCustomObject(place)).toMatchObject({ items: [{ size: 1 }] });
    expect((await objects.list("example.com/v1", "Widget", namespace)).items).toHaveLength(1);
    await objects.delete(widget);
  });

  test("an account's token has the account's rights", async () => {
    const { status } = await core.createNamespacedServiceAccountToken({
      namespace,
      name: "default",
      body: { spec: { audiences: [], expirationSeconds: 3600 } },
    });
    const robot = new k8s.KubeConfig();
    robot.loadFromClusterAndUser(config.getCurrentCluster() ?? { name: "", server: "", skipTLSVerify: false }, {
      name: "robot",
      token: status?.token ?? "",
    });
    const who = await robot.makeApiClient(k8s.AuthenticationV1Api).createSelfSubjectReview({ body: {} });
    expect(who.status?.userInfo?.username).toBe("system:serviceaccount:default:default");
    await expect(robot.makeApiClient(k8s.CoreV1Api).listNode()).rejects.toMatchObject({ code: 403 });
  });
});

test("an informer sees everything once, also what happened while it was stopped", async () => {
  const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/secrets`, () =>
    core.listNamespacedSecret({ namespace }),
  );
  const seen: string[] = [];
  for (const event of ["add", "update", "delete"] as const)
    informer.on(event, (secret) => seen.push(`${event} ${secret.metadata?.name}`));
  const problems: unknown[] = [];
  informer.on("error", (error) => problems.push(error));
  await informer.start();
  await core.createNamespacedSecret({ namespace, body: { metadata: { name: "one" }, stringData: { a: "b" } } });
  await eventually(() => seen.includes("add one") || undefined, "the first");
  // It resumes where it was: what happens meanwhile is not lost.
  await informer.stop();
  await core.createNamespacedSecret({ namespace, body: { metadata: { name: "two" }, stringData: { a: "b" } } });
  await informer.start();
  await eventually(() => seen.includes("add two") || undefined, "the second");
  await core.deleteNamespacedSecret({ namespace, name: "one" });
  await eventually(() => seen.includes("delete one") || undefined, "the deletion");
  expect(seen.filter((line) => line === "add one")).toHaveLength(1);
  expect(informer.get("two", namespace)?.metadata?.name).toBe("two");
  await informer.stop();
  // Stopping it is told as an error, too.
  expect(problems.filter((problem) => !(problem instanceof Error && problem.name === "AbortError"))).toEqual([]);
});

test("a watch streams what happens from a version on, until its time is up", async () => {
  const watch = new k8s.Watch(config);
  const events: string[] = [];
  const { metadata } = await core.listNamespacedEndpoints({ namespace });
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const ended = new Promise<void>((resolve) => {
    void watch.watch(
      path,
      { resourceVersion: metadata?.resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 2 },
      (phase, object) => events.push(`${phase} ${object.metadata.name}`),
      () => resolve(),
    );
  });
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "watched" } } });
  await ended;
  expect(events.filter((event) => !event.startsWith("BOOKMARK"))).toEqual(["ADDED watched"]);
});

describe("a pod's streams", () => {
  const name = "shell";
  const container = "c";
  beforeAll(async () => {
    const script = "echo started; while read line; do echo got $line; done";
    const spec = {
      containers: [
        {
          name: container,
          image: "busybox:1",
          stdin: true,
          command: ["sh", "-c", script],
          ports: [{ containerPort: 8080 }],
        },
      ],
    };
    await core.createNamespacedPod({ namespace, body: { metadata: { name }, spec } });
    const phase = async (): Promise<true | undefined> =>
      (await core.readNamespacedPod({ namespace, name })).status?.phase === "Running" || undefined;
    await eventually(phase, "a running pod");
  });
  afterAll(() => core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 }));

  async function run(
    command: readonly string[],
    stdin: Readable | null = null,
  ): Promise<{ out: string; err: string; status: k8s.V1Status }> {
    const [out, err] = [new Collected(), new Collected()];
    const status = await new Promise<k8s.V1Status>((resolve, reject) => {
      new k8s.Exec(config)
        .exec(namespace, name, container, [...command], out, err, stdin, false, resolve)
        .catch(reject);
    });
    return { out: out.text, err: err.text, status };
  }

  test("exec gives output, errors and the exit code", async () => {
    const good = await run(["sh", "-c", "echo out; echo err >&2"]);
    expect(good).toMatchObject({ out: "out\n", err: "err\n", status: { status: "Success" } });
    const bad = await run(["sh", "-c", "exit 7"]);
    expect(bad.status).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "7" }] },
    });
    expect((await run(["head", "-c", "5"], Readable.from(["12345"]))).out).toBe("12345");
  });

  test("attach talks to what runs, and the log has it", async () => {
    const [out, stdin] = [new Collected(), new PassThrough()];
    const socket = await new k8s.Attach(config).attach(namespace, name, container, out, null, stdin, false);
    stdin.write("hello\n");
    await eventually(() => out.text.includes("got hello") || undefined, "the answer");
    const log = new Collected();
    const following = await new k8s.Log(config).log(namespace, name, container, log, { follow: true, tailLines: 10 });
    await eventually(() => log.text.includes("started\ngot hello\n") || undefined, "the log");
    stdin.write("again\n");
    await eventually(() => log.text.includes("got again\n") || undefined, "the log's next line");
    following.abort();
    socket.close();
    expect(await core.readNamespacedPodLog({ namespace, name, tailLines: 1 })).toBe("got again\n");
  });

  test("files are copied into it", async () => {
    const [local, remote] = [join(folder, "local"), join(folder, "remote")];
    for (const path of [local, remote]) await mkdir(path, { recursive: true });
    const content = "content\n".repeat(10_000);
    await writeFile(join(local, "file.txt"), content);
    await new k8s.Cp(config).cpToPod(namespace, name, container, local, remote);
    const copied = async (): Promise<true | undefined> =>
      (await run(["cat", join(remote, "file.txt")])).out === content || undefined;
    await eventually(copied, "the file in the pod");
  });

  test("a port is forwarded", async () => {
    const pod = await core.readNamespacedPod({ namespace, name });
    const server = createServer((socket) => socket.end("from the pod\n"));
    await new Promise<void>((resolve) => server.listen(8080, pod.status?.podIP, resolve));
    const [out, input] = [new Collected(), new PassThrough()];
    const socket = await new k8s.PortForward(config).portForward(namespace, name, [8080], out, null, input);
    await eventually(() => out.text === "from the pod\n" || undefined, "an answer");
    if (typeof socket !== "function") socket.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

test("a Deployment rolls out", async () => {
  const labels = { app: "web" };
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: "c", image: "busybox:1", command: ["sleep", "1000"] }] },
  };
  await apps.createNamespacedDeployment({
    namespace,
    body: { metadata: { name: "web" }, spec: { replicas: 2, selector: { matchLabels: labels }, template } },
  });
  const ready = async (): Promise<true | undefined> =>
    (await apps.readNamespacedDeploymentStatus({ namespace, name: "web" })).status?.readyReplicas === 2 || undefined;
  await eventually(ready, "two ready pods");
  await apps.deleteNamespacedDeployment({ namespace, name: "web", propagationPolicy: "Foreground" });
  const gone = async (): Promise<true | undefined> =>
    (await core.listNamespacedPod({ namespace, labelSelector: "app=web" })).items.length === 0 || undefined;
  await eventually(gone, "no pods");
});
