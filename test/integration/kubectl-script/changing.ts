import { pod, web } from "./manifests.js";
import type { Topic } from "./script.js";

export const patching: Topic = {
  name: "patching",
  files: { "web.yaml": web },
  lines: [
    { run: "create -f web.yaml" },
    {
      run: `patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"A","value":"1"}]}]}}}}'`,
      says: "deployment.apps/web patched",
    },
    // The strategic patch has merged by name, and left the image alone.
    { run: "get deploy web -o jsonpath={.spec.template.spec.containers[*].image}", says: "nginx:1" },
    { run: "patch deploy web -p {}", says: "deployment.apps/web patched (no change)" },
    {
      run: `patch deploy web --type=merge -p '{"metadata":{"labels":{"x":"y"}}}'`,
      says: "deployment.apps/web patched",
    },
    {
      run: `patch deploy web --type=json -p '[{"op":"remove","path":"/metadata/labels/x"}]'`,
      says: "deployment.apps/web patched",
    },
    {
      run: `patch deploy web --type=json -p '[{"op":"remove","path":"/metadata/labels/none"}]'`,
      fails: "The request is invalid: the server rejected our request due to an error in our request",
    },
    {
      run: `patch deploy web -p '{"spec":{"replicas":"x"}}'`,
      fails: 'The request is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32',
    },
    {
      run: `patch deploy web -p '{"spec":{"replicas":-1}}'`,
      fails: 'The Deployment "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    },
    { run: `patch deploy none -p '{}'`, fails: 'Error from server (NotFound): deployments.apps "none" not found' },
    {
      run: `patch deploy web --subresource=status --type=merge -p '{"status":{"replicas":9}}'`,
      says: "deployment.apps/web patched",
    },
    {
      run: `patch -f web.yaml -p '{"metadata":{"labels":{"q":"1"}}}' --dry-run=server -o name`,
      says: "deployment.apps/web\nservice/web\nconfigmap/web",
    },
    { run: "label deploy web a=b", says: "deployment.apps/web labeled" },
    { run: "label deploy web a=c", fails: /already has a value \(b\), and --overwrite is false/ },
    { run: "label deploy web a=c --overwrite", says: "deployment.apps/web labeled" },
    { run: "label deploy web a-", says: "deployment.apps/web unlabeled" },
    { run: "label cm,svc --all z=1", says: /^service\/web labeled$/m },
    { run: "annotate deploy web note=hi", says: /^deployment\.apps\/web annotated?$/m },
    { run: "annotate deploy web note-", says: /^deployment\.apps\/web annotated?$/m },
  ],
};

export const editing: Topic = {
  name: "editing",
  files: { "web.yaml": web, "pod.yaml": pod },
  lines: [
    { run: "create -f web.yaml" },
    { run: "edit deploy web", editor: "sed -i s/nginx:1/nginx:2/", says: "deployment.apps/web edited" },
    { run: "get deploy web -o jsonpath={..image}", says: "nginx:2" },
    { run: "edit deploy web", editor: "true", warns: "Edit cancelled, no changes made." },
    {
      run: "edit deploy web",
      editor: "sed -i s/replicas:.*/replicas:\\ -1/",
      fails: /^error: deployments\.apps "web" is invalid/,
    },
    {
      run: "edit deploy web",
      editor: "sed -i s/restartPolicy:/bogusField:/",
      fails: /^error: deployments\.apps "web" is invalid/,
    },
    {
      run: "edit deploy web --subresource=status",
      editor: "sed -i s/MinimumReplicasAvailable/Edited/",
      says: /edited|no changes/,
    },
    { run: "create -f pod.yaml" },
    { run: "wait pod/solo --for=condition=Ready --timeout=20s", says: "pod/solo condition met" },
    {
      run: "apply -f -",
      stdin: pod.replace("name: c,", "name: d,"),
      fails: /^The Pod "solo" is invalid: spec\.containers: Forbidden: pod updates may not add or remove containers$/m,
    },
    {
      run: "replace --force -f -",
      stdin: pod.replace("name: c,", "name: d,"),
      says: /^pod "solo" deleted.*\npod\/solo replaced$/m,
    },
    { run: "wait pod/solo --for=condition=Ready --timeout=20s", says: "pod/solo condition met" },
    { run: "debug solo --image=busybox --target=d --container=dbg -q -- sleep 1" },
    { run: "get pod solo -o jsonpath={.spec.ephemeralContainers[*].name}", says: "dbg" },
    {
      run: "debug solo --image=busybox --target=none --container=dbg2 -q -- sleep 1",
      fails: /spec\.ephemeralContainers\[1\]\.targetContainerName: Not found: "none"/,
    },
    { run: "debug solo --image=busybox --copy-to=copy -q -- sleep 1" },
    { run: "get pod copy -o jsonpath={.spec.containers[*].name}", says: /^d debugger-\w+$/ },
  ],
};
