import { json, pod, web } from "./manifests.js";
import type { Topic } from "./script.js";

export const deleting: Topic = {
  name: "deleting",
  files: { "web.yaml": web, "pod.yaml": pod },
  lines: [
    { run: "apply -f web.yaml -f pod.yaml" },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
    { run: "delete cm --all --dry-run=server", says: /^configmap "web" deleted.*\(server dry run\)/m },
    {
      run: "delete pod solo --grace-period=0 --force",
      says: /^pod "solo" force deleted/,
      warns: /^Warning: Immediate deletion does not wait/,
    },
    { run: "delete deploy web --cascade=orphan", says: /^deployment\.apps "web" deleted/ },
    { run: "get rs -l app=web -o jsonpath={.items[*].metadata.ownerReferences}", says: "" },
    { run: "delete rs -l app=web --cascade=foreground --timeout=20s", says: /^replicaset\.apps "web-\w+" deleted/ },
    { run: "get pods -l app=web", says: "", warns: "No resources found in {ns} namespace." },
    {
      run: "delete cm/web secret/none",
      says: /^configmap "web" deleted/,
      fails: 'Error from server (NotFound): secrets "none" not found',
    },
    { run: "create cm raw", says: "configmap/raw created" },
    {
      run: "delete --raw /api/v1/namespaces/{ns}/configmaps/raw",
      says: /^\{"kind":"Status","apiVersion":"v1","metadata":\{\},"status":"Success","details":\{"name":"raw","kind":"configmaps","uid":"[^"]+"\}\}$/m,
    },
    { run: "delete -f web.yaml --ignore-not-found -o name", says: "service/web" },
    {
      run: `create -f -`,
      stdin: json("v1", "ConfigMap", "held", { metadata: { finalizers: ["example.com/hold"] } }),
      says: "configmap/held created",
    },
    { run: "delete cm held --wait=false", says: /^configmap "held" deleted/ },
    { run: "delete cm held --timeout=1s", fails: /timed out waiting for the condition/ },
    {
      run: `patch cm held --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'`,
      says: "configmap/held patched",
    },
    { run: "get cm held", fails: 'Error from server (NotFound): configmaps "held" not found' },
  ],
};

export const namespaces: Topic = {
  name: "namespaces",
  files: { "web.yaml": web },
  lines: [
    { run: "create ns {ns}-gone", says: "namespace/{ns}-gone created" },
    { run: "apply -f web.yaml -n {ns}-gone", says: /^deployment\.apps\/web created$/m },
    { run: "rollout status deploy/web -n {ns}-gone --timeout=20s", says: /successfully rolled out/ },
    { run: "delete ns {ns}-gone --timeout=60s", says: 'namespace "{ns}-gone" deleted' },
    { run: "get all -n {ns}-gone", says: "", warns: "No resources found in {ns}-gone namespace." },
    { run: "create cm x -n {ns}-gone", fails: 'error: failed to create configmap: namespaces "{ns}-gone" not found' },
  ],
};
