import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, deployments, pods, secrets } from "../../src/api/index.js";
import { runProgram } from "./support/cli-program.js";
import { type ClientAge, findClient } from "./support/clients.js";
import { type HollowCluster, startHollowCluster } from "./support/hollow-cluster.js";

const chart: Readonly<Record<string, string>> = {
  "Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '1'\n",
  "values.yaml": "replicas: 2\nimage: nginx:1\n",
  "crds/widget.yaml": `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.helm.example.com }
spec:
  group: helm.example.com
  scope: Namespaced
  names: { plural: widgets, kind: Widget }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } } }]
`,
  "templates/all.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }}, labels: { app: {{ .Release.Name }} } }
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: c, image: {{ .Values.image }} }] }
---
apiVersion: v1
kind: Service
metadata: { name: {{ .Release.Name }} }
spec: { selector: { app: {{ .Release.Name }} }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data:
  image: {{ .Values.image | quote }}
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  {{- if .Capabilities.APIVersions.Has "apps/v1/Deployment" }}
  knows: deployments
  {{- end }}
  found: {{ dig "metadata" "name" "" (lookup "v1" "Namespace" "" "default") | quote }}
---
apiVersion: helm.example.com/v1
kind: Widget
metadata: { name: {{ .Release.Name }} }
size: {{ .Values.replicas }}
`,
  "templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-check
  annotations: { helm.sh/hook: "post-install,test", helm.sh/hook-delete-policy: before-hook-creation }
spec:
  template: { spec: { restartPolicy: Never, containers: [{ name: c, image: busybox, command: [sh, -c, exit 0] }] } }
`,
};

// Helm, old and new: its own way of listing, patching and waiting. Its releases are Secrets.
describe.each<ClientAge>(["old", "new"])("the %s helm", (age) => {
  let hollow: HollowCluster;
  let binary = "";
  beforeAll(async () => {
    binary = await findClient("helm", age);
    hollow = await startHollowCluster(["node-1"]);
    for (const [path, text] of Object.entries(chart)) {
      await mkdir(join(hollow.folder, "web", path, ".."), { recursive: true });
      await writeFile(join(hollow.folder, "web", path), text);
    }
  });
  afterAll(async () => {
    await hollow?.[Symbol.asyncDispose]();
  });

  async function helm(...args: readonly string[]): Promise<string> {
    const { kubeconfig, folder } = hollow;
    const env = {
      KUBECONFIG: kubeconfig,
      HOME: folder,
      HELM_CACHE_HOME: folder,
      HELM_CONFIG_HOME: folder,
      HELM_DATA_HOME: folder,
    };
    const { code, stdout, stderr } = await runProgram(binary, args, { cwd: folder, env });
    if (code !== 0) throw new Error(`helm ${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
    return stdout;
  }
  const place = { namespace: "shop", name: "one" };

  test("installs a chart and waits until it is ready", async () => {
    const said = await helm(
      "install",
      "one",
      "web",
      "-n",
      "shop",
      "--create-namespace",
      "--no-hooks",
      "--wait",
      "--timeout",
      "40s",
    );
    expect(said).toMatch(/STATUS: deployed\nREVISION: 1\n/);
    const { client } = hollow.cluster;
    expect((await client.get(deployments, place)).status?.readyReplicas).toBe(2);
    expect((await client.get(configMaps, place)).data).toEqual({
      image: "nginx:1",
      version: expect.stringMatching(/^v1\.36\.0/),
      knows: "deployments",
      found: "default",
    });
    const [release] = (await client.list(secrets, { namespace: "shop", labelSelector: "owner=helm" })).items;
    expect(release).toMatchObject({
      type: "helm.sh/release.v1",
      metadata: { name: "sh.helm.release.v1.one.v1", labels: { status: "deployed" } },
    });
  });

  test("lists and shows what it has installed", async () => {
    expect(JSON.parse(await helm("list", "-A", "-o", "json"))).toMatchObject([
      { name: "one", namespace: "shop", revision: "1", status: "deployed" },
    ]);
    expect(await helm("status", "one", "-n", "shop")).toContain("STATUS: deployed");
    expect(await helm("get", "manifest", "one", "-n", "shop")).toContain("kind: Widget");
    expect(await helm("template", "two", "web", "--validate", "-n", "shop")).toContain("name: two");
  });

  test("upgrades by patches, and rolls back", async () => {
    const { client } = hollow.cluster;
    await helm(
      "upgrade",
      "one",
      "web",
      "-n",
      "shop",
      "--set",
      "replicas=3,image=nginx:2",
      "--no-hooks",
      "--wait",
      "--timeout",
      "40s",
    );
    expect((await client.get(deployments, place)).spec).toMatchObject({
      replicas: 3,
      template: { spec: { containers: [{ image: "nginx:2" }] } },
    });
    await expect(helm("upgrade", "one", "web", "-n", "shop", "--set", "replicas=-1", "--no-hooks")).rejects.toThrow(
      /Deployment(\.apps)? "one" is invalid: spec\.replicas: Invalid value: -1: must be greater than or equal to 0|spec\.replicas/,
    );
    await helm("rollback", "one", "1", "-n", "shop", "--no-hooks", "--wait", "--timeout", "40s");
    expect((await client.get(deployments, place)).spec).toMatchObject({
      replicas: 2,
      template: { spec: { containers: [{ image: "nginx:1" }] } },
    });
    expect(JSON.parse(await helm("history", "one", "-n", "shop", "-o", "json"))).toMatchObject([
      { revision: 1, status: "superseded" },
      { revision: 2, status: "superseded" },
      { revision: 3, status: "failed" },
      { revision: 4, status: "deployed" },
    ]);
  });

  test("uninstalls all of it", async () => {
    await helm("uninstall", "one", "-n", "shop", "--no-hooks", "--wait", "--timeout", "40s");
    const { client } = hollow.cluster;
    expect((await client.list(deployments, { namespace: "shop" })).items).toEqual([]);
    expect((await client.list(secrets, { namespace: "shop" })).items).toEqual([]);
    await expect
      .poll(async () => (await client.list(pods, { namespace: "shop" })).items, { timeout: 20_000 })
      .toEqual([]);
    expect(JSON.parse(await helm("list", "-A", "-o", "json"))).toEqual([]);
    expect(hollow.complaints).toEqual([]);
  });
});
