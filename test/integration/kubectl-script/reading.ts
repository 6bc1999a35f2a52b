import { web } from "./manifests.js";
import type { Topic } from "./script.js";

export const reading: Topic = {
  name: "reading",
  files: { "web.yaml": web },
  lines: [
    { run: "apply -f web.yaml" },
    { run: "wait deploy/web --for=condition=Available --timeout=20s", says: "deployment.apps/web condition met" },
    {
      run: "get deploy web",
      says: /^NAME {3}READY {3}UP-TO-DATE {3}AVAILABLE {3}AGE\nweb {4}2\/2 {5}2 {12}2 {11}\d+s$/m,
    },
    { run: "get deploy web -o wide", says: /CONTAINERS {3}IMAGES {4}SELECTOR\n.* c {12}nginx:1 {3}app=web$/m },
    {
      run: "get deploy web --subresource=scale",
      says: /^NAME {3}DESIRED {3}AVAILABLE {3}AGE\nweb {4}2 {9}2 {11}\d+s$/m,
    },
    {
      run: "get pods -o wide",
      says: /^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\s+IP\s+NODE\s+NOMINATED NODE\s+READINESS GATES\n/,
    },
    { run: "get all -o name", says: /^deployment\.apps\/web$/m },
    { run: "get deploy web -o yaml", says: /^apiVersion: apps\/v1\nkind: Deployment\nmetadata:\n {2}annotations:\n/ },
    { run: "get cm web -o json", says: /"kind": "ConfigMap"/ },
    { run: "get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", says: "nginx:1" },
    {
      run: "get deploy,svc -o custom-columns=NAME:.metadata.name,KIND:.kind",
      says: "NAME   KIND\nweb    Deployment\nweb    Service",
    },
    { run: "get deploy web -o go-template={{.spec.replicas}}", says: "2" },
    { run: "get deploy -L app --show-labels", says: /APP {3}LABELS\n.*web {3}app=web$/m },
    { run: "get pods --chunk-size=1 -o name", says: /^pod\/web-\w+-\w+\npod\/web-\w+-\w+$/m },
    { run: "get pods --sort-by=.metadata.name --no-headers", says: /^(web-\S+ .*\n){2}$/ },
    { run: "get pods --field-selector=status.phase=Pending -o name", says: "" },
    { run: "get pods -l 'app in (web)' -o name", says: /^(pod\/web-\S+\n){2}$/ },
    { run: "get pods -l 'app notin (web)'", says: "", warns: "No resources found in {ns} namespace." },
    { run: "get ns -A --no-headers -o custom-columns=:.metadata.name", says: /^kube-node-lease$/m },
    { run: "api-versions", says: /^admissionregistration\.k8s\.io\/v1\n[\s\S]*\nv1$/m },
    {
      run: "api-resources --api-group=apps -o name",
      says: "controllerrevisions.apps\ndaemonsets.apps\ndeployments.apps\nreplicasets.apps\nstatefulsets.apps",
    },
    { run: "api-resources --categories=all", says: /^pods +po +v1 +true +Pod *$/m },
    {
      run: "api-resources --verbs=list,get --namespaced=false -o wide",
      says: /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND +VERBS/,
    },
    { run: "version -o json", says: /"gitVersion": "v1\.36\./ },
    { run: "cluster-info", says: /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1:/ },
    { run: "cluster-info dump --namespaces={ns} --output-directory=dump", says: "Cluster info dumped to dump" },
    { run: "top pods", fails: "error: Metrics API not available" },
    { run: "top nodes", fails: "error: Metrics API not available" },
    { run: "get --raw /readyz", says: "ok" },
    { run: "get --raw /none", fails: "Error from server (NotFound): the server could not find the requested resource" },
    { run: "config view --minify -o jsonpath={.clusters[0].cluster.server}", says: /^https:\/\/127/ },
    { run: "config current-context", says: "coxswain" },
    { run: "config get-contexts -o name", says: "coxswain" },
    { run: "events --for=deploy/web", says: /Scaled up replica set web-\w+ from 0 to 2/ },
    { run: "get events --field-selector=reason=ScalingReplicaSet", says: /^LAST SEEN {3}TYPE {5}REASON/ },
    { run: "logs none", fails: /pods "none" not found/ },
    { run: "logs deploy/web -c none", fails: /container none is not valid for pod web-/ },
  ],
};

export const watching: Topic = {
  name: "watching",
  files: { "web.yaml": web },
  lines: [
    { run: "apply -f web.yaml" },
    { run: "wait deploy/web --for=condition=Available --timeout=20s", says: "deployment.apps/web condition met" },
    {
      run: "wait deploy/web --for=jsonpath={.status.readyReplicas}=2 --timeout=20s",
      says: "deployment.apps/web condition met",
    },
    { run: "wait pods --all --for=condition=Ready --timeout=20s", says: /^(pod\/web-\S+ condition met\n){2}$/ },
    {
      run: "wait deploy/web --for=condition=None --timeout=1s",
      fails: "error: timed out waiting for the condition on deployments/web",
    },
    {
      run: "wait deploy/web --for=jsonpath={.status.readyReplicas} --timeout=20s",
      says: "deployment.apps/web condition met",
      newOnly: true,
    },
    { run: "wait deploy/web --for=create --timeout=20s", says: "deployment.apps/web condition met", newOnly: true },
    {
      run: "wait pod/none --for=condition=Ready --timeout=1s",
      fails: 'Error from server (NotFound): pods "none" not found',
    },
    { run: "wait pod/none --for=delete --timeout=1s", says: "" },
    // The server ends a watch when the client's time is up, and that is no error.
    {
      run: "get deploy web --watch --output-watch-events --request-timeout=1s",
      says: /^EVENT {6}NAME {3}READY .*\nADDED {6}web /m,
    },
    { run: "get deploy web --watch-only --request-timeout=1s", says: "" },
    { run: "rollout status deploy/web --timeout=20s", says: 'deployment "web" successfully rolled out' },
    { run: "delete pods --all --wait=false", says: /^(pod "web-[^"]+" deleted.*\n){2}$/ },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
  ],
};
