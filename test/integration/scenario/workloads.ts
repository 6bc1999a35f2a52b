import { expect } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { Json, Kubectl } from "../support/kubectl.js";
import { podNames, readyPods, type Scenario } from "./scenario.js";

const image = (deployment: Json): string => deployment.spec.template.spec.containers[0].image;
const rollout = (kubectl: Kubectl): Promise<string> => kubectl.ok("rollout status deployment/web --timeout=50s");

export const workloads: Scenario = {
  name: "workloads",
  steps: [
    {
      name: "apply creates all of a file, and changes nothing the second time",
      async run({ kubectl, manifest }) {
        const stdin = await manifest("shop.yaml");
        const names = ["configmap/settings", "deployment.apps/web", "service/web"];
        const created = await kubectl.ok("apply -f -", { stdin });
        expect(created.trim().split("\n")).toEqual(names.map((name) => `${name} created`));
        expect(await rollout(kubectl)).toContain('deployment "web" successfully rolled out');
        const before = await kubectl.json("get deployment web");
        const again = await kubectl.ok("apply -f -", { stdin });
        expect(again.trim().split("\n")).toEqual(names.map((name) => `${name} unchanged`));
        const after = await kubectl.json("get deployment web");
        expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
      },
    },
    {
      name: "get shows tables, wide ones, YAML, paths and columns of one's own",
      async run({ cluster, kubectl }) {
        const [header, row, ...more] = (await kubectl.ok("get deployments")).trimEnd().split("\n");
        expect(header?.split(/\s+/)).toEqual(["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);
        expect(row?.split(/\s+/).slice(0, 4)).toEqual(["web", "3/3", "3", "3"]);
        expect(more).toEqual([]);
        const wide = await kubectl.ok("get deployments -o wide");
        expect(wide).toMatch(/NAME .*CONTAINERS +IMAGES +SELECTOR\n/);
        expect(wide).toContain(cluster.images.web);
        const pods = (await kubectl.ok("get pods -o wide --no-headers")).trim().split("\n");
        expect(pods).toHaveLength(3);
        const nodes = pods.map((line) => cluster.nodes.filter((node) => line.split(/\s+/).includes(node)));
        expect(nodes.every(({ length }) => length === 1)).toBe(true);
        expect(await kubectl.ok("get configmap settings -o yaml")).toMatch(
          /^data:\n {2}colour: blue\n {2}motto: \|\n {4}two lines\n/m,
        );
        expect(
          await kubectl.ok(["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}/{.status.readyReplicas}"]),
        ).toBe("3/3");
        const columns = await kubectl.ok(
          "get service web -o custom-columns=NAME:.metadata.name,PORT:.spec.ports[0].port",
        );
        expect(columns.trim().split(/\s+/)).toEqual(["NAME", "PORT", "web", "80"]);
        const running = await kubectl.ok("get pods -l app=web --field-selector=status.phase=Running -o name");
        expect(running.trim().split("\n")).toHaveLength(3);
        expect((await kubectl.json("get pods --field-selector=status.phase!=Running")).items).toEqual([]);
        expect(await kubectl.fails("get pod nobody")).toContain(
          'Error from server (NotFound): pods "nobody" not found',
        );
      },
    },
    {
      name: "describe tells what happened",
      async run({ cluster, kubectl }) {
        const deployment = await kubectl.ok("describe deployment web");
        expect(deployment).toMatch(/Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable/);
        expect(deployment).toMatch(/ScalingReplicaSet .*Scaled up replica set web-[a-z0-9]+ from 0 to 3/);
        const [pod = ""] = await podNames(kubectl, "app=web");
        const text = await eventually(async () => {
          const described = await kubectl.ok(["describe", "pod", pod]);
          return described.includes("Started") ? described : undefined;
        }, "its events are there");
        expect(text).toMatch(
          new RegExp(`Successfully assigned ${kubectl.namespace}/${pod} to (${cluster.nodes.join("|")})`),
        );
        expect(text).toMatch(/Normal +Created +\S+ +kubelet/);
        expect(await kubectl.ok("describe service web")).toMatch(/Endpoints: +\d+\.\d+\.\d+\.\d+:8080,/);
        expect(await kubectl.ok(["describe", "node", cluster.nodes[0] ?? ""])).toMatch(
          /Ready +True .*kubelet is posting ready status/,
        );
      },
    },
    {
      name: "explain knows the fields",
      async run({ kubectl }) {
        const text = await kubectl.ok("explain deployment.spec");
        expect(text).toContain("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1");
        expect(text).toMatch(/paused\t<boolean>\n {4}Indicates that the deployment is paused\./);
        expect(text).toMatch(/selector\t<LabelSelector> -required-\n/);
        expect(await kubectl.fails("explain pod.spec.nonsense")).toContain('field "nonsense" does not exist');
      },
    },
    {
      name: "label and annotate set, refuse to overwrite, and remove",
      async run({ kubectl }) {
        await kubectl.ok("label configmap settings tier=front");
        expect(await kubectl.fails("label configmap settings tier=back")).toContain(
          "already has a value (front), and --overwrite is false",
        );
        await kubectl.ok("label --overwrite configmap settings tier=back");
        await kubectl.ok(["annotate", "configmap", "settings", "note=so it is", "other=x"]);
        await kubectl.ok("annotate configmap settings other-");
        const { metadata } = await kubectl
          .json("get configmap -l tier=back,!absent")
          .then(({ items }) => items[0] as Json);
        expect(metadata).toMatchObject({
          name: "settings",
          labels: { tier: "back" },
          annotations: { note: "so it is" },
        });
        expect(metadata.annotations).not.toHaveProperty("other");
        expect(await kubectl.fails("label configmap settings bad/key/x=1")).toContain("invalid");
      },
    },
    {
      name: "each kind of patch does as its kind says",
      async run({ kubectl }) {
        const patch = (type: string, body: unknown): Promise<string> =>
          kubectl.ok(["patch", "deployment", "web", `--type=${type}`, "-p", JSON.stringify(body)]);
        const container = async (): Promise<Record<string, unknown>> =>
          (await kubectl.json("get deployment web")).spec.template.spec.containers[0];
        await patch("merge", { spec: { paused: true } });
        const before = await container();
        await patch("strategic", {
          spec: { template: { spec: { containers: [{ name: "web", env: [{ name: "A", value: "1" }] }] } } },
        });
        await patch("strategic", {
          spec: { template: { spec: { containers: [{ name: "web", env: [{ name: "B", value: "2" }] }] } } },
        });
        expect(await container()).toEqual({
          ...before,
          env: [
            { name: "B", value: "2" },
            { name: "A", value: "1" },
          ],
        });
        await patch("json", [
          { op: "test", path: "/spec/template/spec/containers/0/env/1/name", value: "A" },
          { op: "remove", path: "/spec/template/spec/containers/0/env/1" },
        ]);
        expect((await container()).env).toEqual([{ name: "B", value: "2" }]);
        const wrong = JSON.stringify([{ op: "test", path: "/spec/replicas", value: 99 }]);
        await kubectl.fails(["patch", "deployment", "web", "--type=json", "-p", wrong]);
        await patch("merge", { spec: { template: { spec: { containers: [before] } } } });
        expect(await container()).toEqual(before);
        await patch("merge", { spec: { paused: null } });
        expect((await kubectl.json("get deployment web")).spec).not.toHaveProperty("paused");
        await rollout(kubectl);
      },
    },
    {
      name: "replace and edit change what they read, and never what changed since",
      async run({ kubectl }) {
        const object = await kubectl.json("get configmap settings");
        const stdin = JSON.stringify({ ...object, data: { ...object.data, colour: "green" } });
        await kubectl.ok("replace -f -", { stdin });
        expect((await kubectl.json("get configmap settings")).data?.colour).toBe("green");
        expect(await kubectl.fails("replace -f -", { stdin })).toContain(
          'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps "settings": the object has been modified',
        );
        await kubectl.ok("edit configmap settings", { env: { KUBE_EDITOR: "sed -i s/green/red/" } });
        expect((await kubectl.json("get configmap settings")).data?.colour).toBe("red");
      },
    },
    {
      name: "server-side apply owns fields, and another owner has to force",
      async run({ kubectl }) {
        const configMap = (colour: string): string =>
          JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "owned" }, data: { colour } });
        const apply = ["apply", "--server-side", "-f", "-"];
        await kubectl.ok([...apply, "--field-manager=one"], { stdin: configMap("blue") });
        const refused = await kubectl.fails([...apply, "--field-manager=two"], { stdin: configMap("red") });
        expect(refused).toContain('conflict with "one"');
        expect(refused).toContain(".data.colour");
        await kubectl.ok([...apply, "--field-manager=two", "--force-conflicts"], { stdin: configMap("red") });
        const { data, metadata } = await kubectl.json("get configmap owned --show-managed-fields");
        expect(data).toEqual({ colour: "red" });
        expect(
          metadata.managedFields?.filter(({ operation }) => operation === "Apply").map(({ manager }) => manager),
        ).toContain("two");
      },
    },
    {
      name: "diff shows what apply would do, and does not do it",
      async run({ kubectl, manifest }) {
        const text = await manifest("shop.yaml");
        await kubectl.ok("apply -f -", { stdin: text });
        expect((await kubectl.run("diff -f -", { stdin: text })).code).toBe(0);
        const changed = text.replace("colour: blue", "colour: pink").replace("replicas: 3", "replicas: 4");
        const { code, stdout } = await kubectl.run("diff -f -", { stdin: changed });
        expect(code).toBe(1);
        expect(stdout).toMatch(/^-\s+colour: blue\n\+\s+colour: pink$/m);
        expect(stdout).toMatch(/^-\s+replicas: 3\n\+\s+replicas: 4$/m);
        expect((await kubectl.json("get configmap settings")).data?.colour).toBe("blue");
      },
    },
    {
      name: "a new version rolls out, and undo brings the old one back",
      async run({ cluster, kubectl }) {
        const { web, webNew } = cluster.images;
        await kubectl.ok(["set", "image", "deployment/web", `web=${webNew}`]);
        await kubectl.ok(["annotate", "deployment/web", "kubernetes.io/change-cause=the new one"]);
        expect(await rollout(kubectl)).toContain("successfully rolled out");
        const pods = await readyPods(kubectl, "app=web", 3);
        const images = (await kubectl.json(["get", "pods", ...pods])).items.map(({ spec }) => spec.containers[0].image);
        expect(images).toEqual([webNew, webNew, webNew]);
        const history = (await kubectl.ok("rollout history deployment/web")).trim().split("\n");
        expect(history.at(-1)).toMatch(/^\d+ +the new one$/);
        expect(history.length).toBeGreaterThanOrEqual(4);
        await kubectl.ok("rollout undo deployment/web");
        await rollout(kubectl);
        expect(image(await kubectl.json("get deployment web"))).toBe(web);
        const sets = (await kubectl.json("get replicasets -l app=web")).items.filter(({ spec }) => spec.replicas > 0);
        expect(sets.map(image)).toEqual([web]);
        await kubectl.ok("rollout restart deployment/web");
        expect(await rollout(kubectl)).toContain("successfully rolled out");
      },
      timeoutMs: 120_000,
    },
    {
      name: "scale grows and shrinks, and only from the size that was meant",
      async run({ kubectl }) {
        expect(await kubectl.fails("scale deployment web --current-replicas=7 --replicas=1")).toContain(
          "Expected replicas to be 7, was 3",
        );
        await kubectl.ok("scale deployment web --current-replicas=3 --replicas=5");
        await readyPods(kubectl, "app=web", 5);
        await kubectl.ok("scale deployment web --replicas=1");
        await readyPods(kubectl, "app=web", 1);
      },
    },
    {
      name: "wait waits: for a condition, a value, the end; and gives up",
      async run({ kubectl }) {
        await kubectl.ok("wait --for=condition=Available deployment/web --timeout=30s");
        const scaled = kubectl.ok([
          "wait",
          "--for=jsonpath={.status.readyReplicas}=2",
          "deployment/web",
          "--timeout=40s",
        ]);
        await kubectl.ok("scale deployment web --replicas=2");
        expect(await scaled).toContain("deployment.apps/web condition met");
        expect(await kubectl.fails("wait --for=condition=Nonsense deployment/web --timeout=1s")).toContain(
          "timed out waiting for the condition",
        );
        await kubectl.ok("create configmap passing");
        const gone = kubectl.ok("wait --for=delete configmap/passing --timeout=30s");
        await kubectl.ok("delete configmap passing");
        await gone;
      },
    },
    {
      name: "delete cascades in the foreground, in the background, or not at all",
      async run({ kubectl, manifest }) {
        const stdin = await manifest("shop.yaml");
        await kubectl.ok("delete deployment web --cascade=foreground --timeout=50s");
        // Foreground: when the owner is gone, so is all that it owned.
        expect((await kubectl.json("get replicasets -l app=web")).items).toEqual([]);
        await kubectl.ok("apply -f -", { stdin });
        await readyPods(kubectl, "app=web", 3);
        await kubectl.ok("delete deployment web --cascade=background");
        const goneToo = async (): Promise<true | undefined> =>
          (await kubectl.json("get replicasets,pods -l app=web")).items.length === 0 ? true : undefined;
        await eventually(goneToo, "what it owned goes too", 40_000);
        await kubectl.ok("apply -f -", { stdin });
        const pods = [...(await readyPods(kubectl, "app=web", 3))].sort();
        await kubectl.ok("delete deployment web --cascade=orphan");
        const [orphan] = (await kubectl.json("get replicasets -l app=web")).items;
        expect(orphan?.metadata.ownerReferences ?? []).toEqual([]);
        expect([...(await podNames(kubectl, "app=web"))].sort()).toEqual(pods);
      },
      timeoutMs: 120_000,
    },
  ],
};
