import { web } from "./manifests.js";
import type { Line, Topic } from "./script.js";

export const describing: Topic = {
  name: "describing",
  files: { "web.yaml": web },
  lines: [
    { run: "apply -f web.yaml" },
    { run: "rollout status deploy/web --timeout=20s", says: /successfully rolled out/ },
    {
      run: "describe deploy web",
      says: /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$[\s\S]*^ {2}Available +True +MinimumReplicasAvailable$[\s\S]*^NewReplicaSet: +web-\w+ \(2\/2 replicas created\)$[\s\S]*ScalingReplicaSet/m,
    },
    {
      run: "describe rs -l app=web",
      says: /^Controlled By: +Deployment\/web$[\s\S]*^Pods Status: +2 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed$[\s\S]*SuccessfulCreate/m,
    },
    {
      run: "describe pods -l app=web",
      says: /^Service Account: +default$[\s\S]*^Controlled By: +ReplicaSet\/web-\w+$[\s\S]*^ {2}Ready +True *$[\s\S]*^QoS Class: +BestEffort$/m,
    },
    {
      run: "describe svc web",
      says: /^IP Families: +IPv4$[\s\S]*^TargetPort: +http\/TCP$[\s\S]*^Endpoints: +10\.\S+:80,10\.\S+:80$/m,
    },
    { run: "describe ep web", says: /^ {2}Addresses: +10\.\S+,10\.\S+$/m },
    {
      run: "describe endpointslice -l kubernetes.io/service-name=web",
      says: /^AddressType: +IPv4$[\s\S]*^ {4}TargetRef: +Pod\/web-/m,
    },
    { run: "describe cm web", says: /^Data\n====\na:\n----\n1\n/m },
    {
      run: "describe node node-1",
      says: /^Lease:\n {2}HolderIdentity: +node-1$[\s\S]*^ {2}Ready +True .*KubeletReady +kubelet is posting ready status$[\s\S]*^Non-terminated Pods:/m,
    },
    { run: "describe ns {ns}", says: /^Status: +Active\n\nNo resource quota\.\n\nNo LimitRange resource\.$/m },
    { run: "describe lease -n kube-node-lease node-1", says: /Holder Identity: +node-1/ },
    { run: "create ingress ing --rule=foo.com/bar=web:80", says: "ingress.networking.k8s.io/ing created" },
    { run: "describe ingress ing", says: /^ {2}foo\.com +\n +\/bar +web:80 \(10\.\S+:80,10\.\S+:80\)$/m },
    { run: "create pdb pdb --selector=app=web --min-available=50%" },
    { run: "wait pdb/pdb --for=jsonpath={.status.currentHealthy}=2 --timeout=20s" },
    {
      run: "describe pdb pdb",
      says: /^ {4}Allowed disruptions: +1\n {4}Current: +2\n {4}Desired: +1\n {4}Total: +2$/m,
    },
    { run: "create quota q --hard=pods=30" },
    { run: "wait quota/q --for=jsonpath={.status.used.pods}=2 --timeout=20s" },
    { run: "describe quota q", says: /^Resource +Used +Hard\n-+ +-+ +-+\npods +2 +30$/m },
    { run: "create job j --image=i -- date" },
    { run: "wait job/j --for=jsonpath={.status.ready}=1 --timeout=20s" },
    {
      run: "describe job j",
      says: /^Completion Mode: +NonIndexed$[\s\S]*^Pods Statuses: +1 Active \(1 Ready\) \/ 0 Succeeded \/ 0 Failed$/m,
    },
    { run: "create cronjob cj --image=i --schedule='0 0 1 1 *'" },
    { run: "describe cronjob cj", says: /^Concurrency Policy: +Allow$[\s\S]*^Last Schedule Time: +<unset>$/m },
    { run: "create sa sa" },
    { run: "describe sa sa", says: /^Image pull secrets: +<none>$/m },
    { run: "create secret generic s --from-literal=a=b" },
    { run: "describe secret s", says: /^Data\n====\na: {2}1 bytes?$/m },
    { run: "create role r --verb=get --resource=pods" },
    { run: "describe role r", says: /^ {2}pods +\[\] +\[\] +\[get\]$/m },
    { run: "describe clusterrole view", says: /^ {2}configmaps +\[\] +\[\] +\[get list watch\]$/m },
    { run: "describe pc system-node-critical", says: /^Value: +2000001000$/m },
    { run: "describe none/x", fails: /the server doesn't have a resource type "none"/ },
    { run: "describe pod none", fails: 'Error from server (NotFound): pods "none" not found' },
  ],
};

const kinds = [
  ...[
    "pods",
    "deployments",
    "services",
    "configmaps",
    "secrets",
    "nodes",
    "namespaces",
    "statefulsets",
    "daemonsets",
    "jobs",
  ],
  ...[
    "cronjobs",
    "ingresses",
    "networkpolicies",
    "persistentvolumes",
    "storageclasses",
    "roles",
    "leases",
    "hpa",
    "events",
    "crd",
  ],
];

const explained = kinds.map(
  (kind): Line => ({
    run: `explain ${kind}`,
    says: /^(GROUP: +\S+\n)?KIND: +\w+\nVERSION: +\w+\n\nDESCRIPTION:\n {4}\w[\s\S]*\nFIELDS:\n {2}\w+\t</,
  }),
);

export const explaining: Topic = {
  name: "explaining",
  lines: [
    ...explained,
    { run: "explain pods --recursive", says: /^ {4}containers\t<\[\]Container> -required-\n {6}args\t<\[\]string>\n/m },
    { run: "explain deployments --recursive", says: /^ {4}strategy\t<DeploymentStrategy>$/m },
    { run: "explain pods.spec.containers.resources.limits", says: /^FIELD: limits <map\[string\]Quantity>$/m },
    {
      run: "explain hpa --api-version=autoscaling/v1",
      says: /^VERSION: {4}v1$[\s\S]*configuration of a horizontal pod autoscaler/m,
    },
    { run: "explain pods.none", fails: 'error: field "none" does not exist' },
    { run: "explain none", fails: /the server doesn't have a resource type "none"/ },
    { run: "explain deploy --output=plaintext-openapiv2", says: /^KIND: {5}Deployment\nVERSION: {2}apps\/v1\n/ },
  ],
};
