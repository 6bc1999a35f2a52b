import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClusterPki, createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { SecuredApiServer } from "../../src/apiserver/secured-api-server.js";
import { kubeconfigFor } from "../../src/cluster/cluster.js";
import { realClock } from "../../src/internal/clock.js";
import { MemoryStore } from "../../src/store/index.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

let home = "";
let kubectl: Kubectl;
let running: Promise<void>;
const stop = new AbortController();

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.stable.example.com
spec:
  group: stable.example.com
  scope: Namespaced
  names: { plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [all] }
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What the table should be.
            x-kubernetes-validations:
            - rule: "!has(self.image) || self.image != 'forbidden'"
              message: the image is forbidden
              fieldPath: .image
            properties:
              cronSpec:
                type: string
                description: When it runs.
                pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$'
              image: { type: string }
              replicas: { type: integer, minimum: 0, maximum: 10, default: 1 }
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: { name: { type: string }, port: { x-kubernetes-int-or-string: true } }
          status:
            type: object
            properties: { replicas: { type: integer }, labelSelector: { type: string } }
    additionalPrinterColumns:
    - { name: Spec, type: string, description: The cron spec, jsonPath: .spec.cronSpec }
    - { name: Replicas, type: integer, jsonPath: .spec.replicas }
    - { name: Age, type: date, jsonPath: .metadata.creationTimestamp }
    subresources:
      status: {}
      scale:
        specReplicasPath: .spec.replicas
        statusReplicasPath: .status.replicas
        labelSelectorPath: .status.labelSelector
`;

const openSchema = `
    schema:
      openAPIV3Schema:
        type: object
        description: An object of any shape.
        x-kubernetes-preserve-unknown-fields: true
        properties:
          template:
            type: object
            x-kubernetes-embedded-resource: true
            x-kubernetes-preserve-unknown-fields: true
`;

const openDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: blobs.stable.example.com }
spec:
  group: stable.example.com
  scope: Namespaced
  names: { plural: blobs, kind: Blob }
  versions:
  - name: v1
    served: true
    storage: true${openSchema}
  - name: v2
    served: true
    storage: false${openSchema}
`;

function crontab(name: string, spec: string): string {
  return `apiVersion: stable.example.com/v1\nkind: CronTab\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "coxswain-crd-"));
  const pki: ClusterPki = await createClusterPki({ clock: realClock });
  const server = new SecuredApiServer({ store: new MemoryStore(), pki, host: "127.0.0.1", port: 0 });
  await new Promise<void>((resolve, reject) => {
    running = server.run({ signal: stop.signal, ready: resolve });
    running.catch(reject);
  });
  const kubeconfig = join(home, "kubeconfig");
  await writeFile(kubeconfig, await kubeconfigFor(pki, server.https.url, "admin", pki.admin), { mode: 0o600 });
  kubectl = await createKubectl({ kubeconfig, home });
  await kubectl.ok("create namespace default");
});

afterAll(async () => {
  stop.abort();
  await running;
  await rm(home, { recursive: true, force: true });
});

const apply = (text: string, ...flags: string[]): Promise<string> =>
  kubectl.ok(["apply", "-f", "-", ...flags], { stdin: text });

describe("custom resources with kubectl", () => {
  test("a definition is served within a second", async () => {
    await apply(definition);
    const before = Date.now();
    await kubectl.ok("wait --for=condition=Established crd/crontabs.stable.example.com --timeout=10s");
    expect(await kubectl.ok("api-resources --api-group=stable.example.com")).toMatch(
      /crontabs\s+ct\s+stable\.example\.com\/v1\s+true\s+CronTab/,
    );
    // Two runs of kubectl are in it.
    expect(Date.now() - before).toBeLessThan(5_000);
  });

  test("apply on either side, get as a table, by short name and by category", async () => {
    await apply(crontab("one", '{ cronSpec: "* * * * */5", image: "web:1" }'));
    await apply(crontab("two", '{ cronSpec: "0 0 * * *", ports: [{ name: a, port: 80 }] }'), "--server-side");
    const table = await kubectl.ok("get ct");
    expect(table).toMatch(/^NAME\s+SPEC\s+REPLICAS\s+AGE\n/);
    expect(table).toMatch(/one\s+\* \* \* \* \*\/5\s+1\s+\d+s/);
    expect(await kubectl.ok("get all -o name")).toContain("crontab.stable.example.com/one");
    await apply(crontab("one", '{ cronSpec: "* * * * */6" }'));
    const changed = await kubectl.json("get crontab one");
    expect(changed.spec).toEqual({ cronSpec: "* * * * */6", replicas: 1 });
    expect(changed.metadata.generation).toBe(2);
    expect(await kubectl.ok(["get", "ct", "two", "-o", "jsonpath={.spec.ports[0].port}"])).toBe("80");
  });

  test("explain and describe", async () => {
    const explained = await kubectl.ok("explain crontab.spec");
    expect(explained).toContain("GROUP:      stable.example.com");
    expect(explained).toContain("What the table should be.");
    expect(explained).toMatch(/cronSpec\s+<string>/);
    expect(await kubectl.ok("explain crontab --recursive")).toMatch(/ports\s+<\[\]Object>/);
    expect(await kubectl.ok("describe crontab one")).toMatch(/Cron Spec:\s+\* \* \* \* \*\/6/);
  });

  test("what is wrong is said in upstream's words", async () => {
    const wrong = (text: string): Promise<string> => kubectl.fails(["create", "-f", "-"], { stdin: text });
    expect(await wrong(crontab("bad", "{ replicas: 11 }"))).toContain(
      'The CronTab "bad" is invalid: spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10',
    );
    expect(await wrong(crontab("bad", "{ image: forbidden }"))).toContain(
      'spec.image: Invalid value: "object": the image is forbidden',
    );
    expect(await wrong(crontab("bad", "{ bogus: 1 }"))).toContain('unknown field "spec.bogus"');
    expect(await wrong(crontab("bad", "{ ports: [{ name: a }, { name: a }] }"))).toContain(
      'spec.ports[1]: Duplicate value: {"name":"a"}',
    );
  });

  test("patch, edit and scale", async () => {
    await kubectl.ok(["patch", "ct", "one", "--type=merge", "-p", '{"spec":{"image":"web:2"}}']);
    const operations = '[{"op":"replace","path":"/spec/image","value":"web:3"}]';
    await kubectl.ok(["patch", "ct", "one", "--type=json", "-p", operations]);
    const strategic = await kubectl.fails(["patch", "ct", "one", "-p", '{"spec":{"image":"web:4"}}']);
    expect(strategic).toContain("application/merge-patch+json");
    await kubectl.ok("edit ct one", { env: { KUBE_EDITOR: "sed -i s/web:3/web:5/" } });
    await kubectl.ok("scale ct one --replicas=4");
    expect((await kubectl.json("get ct one")).spec).toMatchObject({ image: "web:5", replicas: 4 });
    const status = '{"status":{"replicas":4}}';
    await kubectl.ok(["patch", "ct", "one", "--subresource=status", "--type=merge", "-p", status]);
    expect((await kubectl.json("get ct one")).status).toEqual({ replicas: 4 });
  });

  test("fields that the schema does not know are kept where it says so", async () => {
    await apply(openDefinition);
    await kubectl.ok("wait --for=condition=Established crd/blobs.stable.example.com --timeout=10s");
    const blob =
      "apiVersion: stable.example.com/v2\nkind: Blob\nmetadata: { name: one }\n" +
      "any: { thing: [1, two] }\ntemplate: { apiVersion: v1, kind: Pod, metadata: { name: p }, spec: { x: 1 } }\n";
    await apply(blob);
    const stored = await kubectl.json<{ any: unknown; template: unknown }>("get blobs.v1.stable.example.com one");
    expect(stored.any).toEqual({ thing: [1, "two"] });
    expect(stored.template).toEqual({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { x: 1 } });
    expect(await kubectl.ok("explain blobs --api-version=stable.example.com/v2")).toContain("An object of any shape.");
    // One version is renamed, the other no longer served.
    const renamed = [
      { op: "replace", path: "/spec/versions/1/name", value: "v3" },
      { op: "replace", path: "/spec/versions/0/served", value: false },
    ];
    await kubectl.ok(["patch", "crd", "blobs.stable.example.com", "--type=json", "-p", JSON.stringify(renamed)]);
    await expect.poll(() => kubectl.ok("get --raw /apis/stable.example.com")).toContain('"v3"');
    expect((await kubectl.run("get --raw /apis/stable.example.com/v2")).code).toBe(1);
    expect(await kubectl.ok("get --raw /apis/stable.example.com/v3/blobs")).toContain(
      '"apiVersion":"stable.example.com/v3"',
    );
    const openapi = await kubectl.ok("get --raw /openapi/v2");
    expect(openapi).toContain("com.example.stable.v3.Blob");
    expect(openapi).not.toContain("com.example.stable.v2.Blob");
    await kubectl.ok("delete crd blobs.stable.example.com --timeout=20s");
  });

  test("the definition goes with its objects, and comes back empty", async () => {
    await kubectl.ok("delete crd crontabs.stable.example.com --timeout=20s");
    // Its own discovery is still in kubectl's cache.
    expect(await kubectl.fails("get ct")).toContain("the server could not find the requested resource");
    expect(await kubectl.ok("api-resources --cached=false")).not.toContain("crontabs");
    await apply(definition);
    await kubectl.ok("wait --for=condition=Established crd/crontabs.stable.example.com --timeout=10s");
    expect((await kubectl.json("get crontabs.stable.example.com")).items).toEqual([]);
  });
});
