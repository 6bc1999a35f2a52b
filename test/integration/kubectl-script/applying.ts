import { json, pod, web } from "./manifests.js";
import type { Topic } from "./script.js";

const three = (what: string): string =>
  ["deployment.apps/web", "service/web", "configmap/web"].map((name) => `${name} ${what}`).join("\n");
const map = (name: string, value: string): string =>
  json("v1", "ConfigMap", name, { metadata: { labels: { set: "p" } }, data: { k: value } });

export const applying: Topic = {
  name: "applying",
  files: { "web.yaml": web },
  lines: [
    { run: "create -f web.yaml --dry-run=client", says: three("created (dry run)") },
    { run: "create -f web.yaml --dry-run=server", says: three("created (server dry run)") },
    { run: "apply -f web.yaml --dry-run=client", says: three("created (dry run)") },
    { run: "apply -f web.yaml --dry-run=server", says: three("created (server dry run)") },
    { run: "apply -f web.yaml --server-side --dry-run=server", says: three("serverside-applied (server dry run)") },
    // What a dry run would give is in the difference: an address too.
    { run: "diff -f web.yaml", exit: 1, says: /^\+ {2}clusterIP: 10\.\d+\.\d+\.\d+$/m },
    { run: "get all", says: "", warns: "No resources found in {ns} namespace." },
    { run: "apply -f web.yaml", says: three("created") },
    { run: "apply -f web.yaml", says: three("unchanged") },
    { run: "diff -f web.yaml", says: "" },
    {
      run: "create -f web.yaml",
      fails:
        'Error from server (AlreadyExists): error when creating "web.yaml": deployments.apps "web" already exists\nError from server (AlreadyExists): error when creating "web.yaml": services "web" already exists\nError from server (AlreadyExists): error when creating "web.yaml": configmaps "web" already exists',
    },
    { run: "apply view-last-applied cm/web -o json", says: /"a": "1"/ },
    { run: "apply -f web.yaml --server-side", says: three("serverside-applied") },
    { run: "get cm web --show-managed-fields -o jsonpath={.metadata.managedFields[*].operation}", says: /Apply/ },
    {
      run: "apply -f - --server-side --field-manager=other",
      stdin: json("v1", "ConfigMap", "web", { data: { a: "2" } }),
      fails: /^error: Apply failed with 1 conflict: conflict with "kubectl": \.data\.a/,
    },
    {
      run: "apply -f - --server-side --field-manager=other --force-conflicts",
      stdin: json("v1", "ConfigMap", "web", { data: { a: "2" } }),
      says: "configmap/web serverside-applied",
    },
    {
      run: "apply set-last-applied -f web.yaml",
      says: /^configmap\/web configured$|^set-last-applied web: no changes required\.$/m,
    },
    { run: "replace -f web.yaml --dry-run=server", says: three("replaced (server dry run)") },
    {
      run: "apply -f - --server-side",
      stdin: pod.replace("image: busybox", "image: busybox, bogus: 1"),
      fails: /unknown field "spec.containers\[0\].bogus"|failed to create typed patch object/,
    },
  ],
};

export const sets: Topic = {
  name: "sets",
  files: {
    "both/1.yaml": map("one", "a"),
    "both/2.yaml": map("two", "a"),
    "one/1.yaml": map("one", "a"),
    "custom/kustomization.yaml":
      "resources: [cm.yaml]\nnamePrefix: made-\nconfigMapGenerator: [{ name: gen, literals: [a=b] }]\n",
    "custom/cm.yaml": map("three", "a"),
  },
  lines: [
    { run: "apply -f both --prune -l set=p", says: "configmap/one created\nconfigmap/two created" },
    { run: "apply -f one --prune -l set=p", says: "configmap/one unchanged\nconfigmap/two pruned" },
    {
      run: "apply -f both --prune --applyset=owner",
      env: { KUBECTL_APPLYSET: "true" },
      says: /configmap\/two created/,
    },
    {
      run: "apply -f one --prune --applyset=owner",
      env: { KUBECTL_APPLYSET: "true" },
      says: /configmap\/two pruned/,
    },
    {
      run: "get secret owner -o jsonpath={.metadata.annotations}",
      says: /"applyset\.kubernetes\.io\/contains-group-(kinds":"ConfigMap"|resources":"configmaps")/,
    },
    { run: "apply -k custom", says: /^configmap\/made-gen-\w+ created\nconfigmap\/made-three created$/m },
    { run: "diff -k custom", says: "" },
    { run: "delete -k custom", says: /^configmap "made-three" deleted/m },
    { run: "kustomize custom", says: /name: made-three/ },
  ],
};
