import { web } from "./manifests.js";
import type { Topic } from "./script.js";

export const workloads: Topic = {
  name: "workloads",
  files: { "web.yaml": web },
  lines: [
    { run: "apply -f web.yaml" },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
    { run: "set image deploy/web c=nginx:3", says: "deployment.apps/web image updated" },
    { run: "set image deploy/web none=nginx:3", fails: 'error: unable to find container named "none"' },
    { run: "set env deploy/web B=2", says: "deployment.apps/web env updated" },
    { run: "set env deploy/web --list", says: "# Deployment web, container c\nB=2" },
    {
      run: "set resources deploy/web --limits=cpu=200m,memory=512Mi --requests=cpu=100m",
      says: "deployment.apps/web resource requirements updated",
    },
    {
      run: "set resources deploy/web --limits=cpu=50m",
      fails:
        /spec\.template\.spec\.containers\[0\]\.resources\.requests: Invalid value: "100m": must be less than or equal to cpu limit of 50m/,
    },
    { run: "set serviceaccount deploy/web default", says: "deployment.apps/web serviceaccount updated" },
    { run: "set selector svc web app=web2", says: "service/web selector updated" },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
    { run: "rollout history deploy/web", says: /^deployment\.apps\/web \nREVISION {2}CHANGE-CAUSE\n1 {9}<none>\n/ },
    {
      run: "rollout history deploy/web --revision=1",
      says: /^deployment\.apps\/web with revision #1\nPod Template:\n/,
    },
    {
      run: "rollout undo deploy/web --to-revision=99",
      fails: /^error: unable to find specified revision 99 in history$/m,
    },
    { run: "rollout undo deploy/web", says: "deployment.apps/web rolled back" },
    { run: "rollout restart deploy/web", says: "deployment.apps/web restarted" },
    { run: "rollout pause deploy/web", says: "deployment.apps/web paused" },
    { run: "rollout pause deploy/web", fails: 'error: deployments.apps "web" is already paused' },
    { run: "rollout resume deploy/web", says: "deployment.apps/web resumed" },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
    { run: "scale deploy web --replicas=3", says: "deployment.apps/web scaled" },
    { run: "scale deploy web --replicas=4 --current-replicas=9", fails: "error: Expected replicas to be 9, was 3" },
    { run: "autoscale deploy web --min=1 --max=5", says: "horizontalpodautoscaler.autoscaling/web autoscaled" },
    {
      run: "get hpa web",
      says: /^NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nweb +Deployment\/web +cpu: <unknown>\/80% +1 +5 +\d/,
    },
    { run: "delete hpa web", says: /deleted/ },
    {
      run: "expose deploy web --name=outside --port=80 --target-port=8080 --type=NodePort",
      says: "service/outside exposed",
    },
    {
      run: "expose deploy web --name=web --port=80",
      fails: 'Error from server (AlreadyExists): services "web" already exists',
    },
    { run: "create job once --image=busybox -- date", says: "job.batch/once created" },
    // Nobody but its Job lets the pod go that the Job counts.
    { run: "delete job once --timeout=20s", says: /^job\.batch "once" deleted/ },
    { run: "wait pods -l job-name=once --for=delete --timeout=20s", says: "" },
    { run: "delete all --all --timeout=30s", says: /^deployment\.apps "web" deleted/m },
    { run: "get all", says: "", warns: "No resources found in {ns} namespace." },
  ],
};

export const nodes: Topic = {
  name: "nodes",
  lines: [
    {
      run: "get nodes",
      says: /^NAME {5}STATUS {3}ROLES {4}AGE {3}VERSION\nnode-1 {3}Ready {4}<none> +\d+s +v1\.36\.0/,
    },
    { run: "get nodes -o wide", says: /INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME\n/ },
    { run: "get leases -n kube-node-lease", says: /^node-1 +node-1 +\d+s$/m },
    { run: "taint node node-2 x=y:NoSchedule", says: "node/node-2 tainted" },
    {
      run: "taint node node-2 x=y:NoSchedule",
      fails: "error: node node-2 already has x taint(s) with same effect(s) and --overwrite is false",
    },
    { run: "taint node node-2 x=z:NoSchedule --overwrite", says: "node/node-2 modified" },
    { run: "taint node node-2 x:NoSchedule-", says: "node/node-2 untainted" },
    { run: "cordon node-2", says: "node/node-2 cordoned" },
    { run: "get node node-2", says: /Ready,SchedulingDisabled/ },
    { run: "get node node-2 -o jsonpath={.spec.taints[*].key}", says: "node.kubernetes.io/unschedulable" },
    { run: "uncordon node-2", says: "node/node-2 uncordoned" },
    { run: "uncordon node-2", says: "node/node-2 already uncordoned" },
    { run: "create deployment d --image=i --replicas=4", says: "deployment.apps/d created" },
    { run: "rollout status deploy/d --timeout=20s", says: /successfully rolled out/ },
    {
      run: "drain node-2 --dry-run=server --pod-selector=app=d",
      says: /^node\/node-2 cordoned \(server dry run\)\nevicting pod/,
    },
    { run: "drain node-2 --pod-selector=app=d --timeout=30s", says: /^node\/node-2 drained$/m },
    { run: "get pods --field-selector=spec.nodeName=node-2", says: "", warns: "No resources found in {ns} namespace." },
    { run: "uncordon node-2", says: "node/node-2 uncordoned" },
    { run: "label node node-1 disk=ssd", says: "node/node-1 labeled" },
    { run: "label node node-1 disk-", says: "node/node-1 unlabeled" },
    { run: "debug node/node-1 --image=busybox -q -- sleep 1" },
    { run: "get pods -o jsonpath={.items[*].spec.hostPID}", says: "true" },
  ],
};
