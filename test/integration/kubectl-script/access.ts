import { json } from "./manifests.js";
import type { Topic } from "./script.js";

const reconciled = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: rec, namespace: "{ns}" }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: rec, namespace: "{ns}" }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: rec }
subjects: [{ kind: User, apiGroup: rbac.authorization.k8s.io, name: jane }]
`;

export const access: Topic = {
  name: "access",
  files: { "rbac.yaml": reconciled },
  lines: [
    { run: "auth whoami -o jsonpath={.status.userInfo.username}", says: "kubernetes-admin", newOnly: true },
    { run: "auth can-i create pods", says: "yes" },
    { run: "auth can-i create pods --as=jane", says: "no", exit: 1 },
    { run: "auth can-i get pods/log --as=jane --as-group=system:masters", says: "yes" },
    { run: "auth can-i get nodes", says: "yes", warns: /resource 'nodes' is not namespace scoped/ },
    { run: "auth can-i get /healthz --as=jane", says: "yes" },
    {
      run: "auth reconcile -f rbac.yaml",
      says: /^role\.rbac\.authorization\.k8s\.io\/rec reconciled\n/,
    },
    {
      run: "auth reconcile -f rbac.yaml",
      says: "role.rbac.authorization.k8s.io/rec reconciled\nrolebinding.rbac.authorization.k8s.io/rec reconciled",
    },
    { run: "auth can-i get pods --as=jane", says: "yes" },
    { run: "auth can-i --list --as=jane", says: /^pods +\[\] +\[\] +\[get\]$/m },
    {
      run: "get pods --as=jane",
      fails:
        'Error from server (Forbidden): pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "{ns}"',
    },
    {
      run: "get nodes --as=jane",
      fails:
        'Error from server (Forbidden): nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
    },
    {
      run: "create deployment x --image=y --as=jane",
      fails:
        'error: failed to create deployment: deployments.apps is forbidden: User "jane" cannot create resource "deployments" in API group "apps" in the namespace "{ns}"',
    },
    {
      run: "get --raw /metrics --as=jane",
      fails: 'Error from server (Forbidden): forbidden: User "jane" cannot get path "/metrics"',
    },
    // Nobody gives away a right that he does not have.
    {
      run: "create rolebinding esc --clusterrole=cluster-admin --user=jane --as=jane",
      fails: /cannot create resource "rolebindings"/,
    },
    { run: "create serviceaccount robot", says: "serviceaccount/robot created" },
    { run: "create token robot --duration=1h --audience=foo", says: /^[\w-]+\.[\w-]+\.[\w-]+\s*$/ },
    {
      run: "create token robot --bound-object-kind=Pod --bound-object-name=none",
      fails: 'error: failed to create token: pods "none" not found',
    },
    { run: "create token none", fails: 'error: failed to create token: serviceaccounts "none" not found' },
    {
      run: "get pods --as=system:serviceaccount:{ns}:robot",
      fails:
        'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:{ns}:robot" cannot list resource "pods" in API group "" in the namespace "{ns}"',
    },
  ],
};

export const errors: Topic = {
  name: "errors",
  lines: [
    { run: "get none", fails: 'error: the server doesn\'t have a resource type "none"' },
    {
      run: "get pods one two",
      fails: 'Error from server (NotFound): pods "one" not found\nError from server (NotFound): pods "two" not found',
    },
    {
      run: "get pod/one svc/two",
      fails:
        'Error from server (NotFound): pods "one" not found\nError from server (NotFound): services "two" not found',
    },
    {
      run: "get pods --field-selector=bogus=1",
      fails:
        'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "bogus=1": field label not supported: bogus',
    },
    { run: "get pods -l 'app in (web'", fails: /: unable to parse requirement: found '', expected: ',' or '\)'\n$/ },
    { run: "create ns default", fails: 'Error from server (AlreadyExists): namespaces "default" already exists' },
    {
      run: "create ns Bad",
      fails:
        /^The Namespace "Bad" is invalid: metadata\.name: Invalid value: "Bad": a lowercase RFC 1123 label must consist of/,
    },
    {
      run: "create deployment Bad --image=x",
      fails: /Deployment\.apps "Bad" is invalid: metadata\.name: Invalid value: "Bad": a lowercase RFC 1123 subdomain/,
    },
    {
      run: "delete ns default",
      fails: /namespaces "default" is forbidden: this namespace may not be deleted$/m,
    },
    {
      run: "create priorityclass big --value=2000000000",
      fails: /PriorityClass(\.scheduling\.k8s\.io)? "big" is (invalid|forbidden)/,
    },
    {
      run: "create cronjob bad --image=x --schedule=bad",
      fails:
        /CronJob\.batch "bad" is invalid: spec\.schedule: Invalid value: "bad": expected exactly 5 fields, found 1: \[bad\]/,
    },
    {
      run: "create service clusterip far --tcp=80 --clusterip=1.2.3.4",
      fails:
        /Service "far" is invalid: spec\.clusterIPs: Invalid value: \["1\.2\.3\.4"\]: failed to allocate IP 1\.2\.3\.4: the provided network does not match the current range/,
    },
    {
      run: "create service nodeport low --tcp=80 --node-port=80",
      fails:
        /Service "low" is invalid: spec\.ports\[0\]\.nodePort: Invalid value: 80: provided port is not in the valid range\. The range of valid ports is 30000-32767/,
    },
    {
      run: "create quota bad --hard=cpu=1 --scopes=BestEffort",
      fails:
        /ResourceQuota "bad" is invalid: spec\.scopes: Invalid value: \["BestEffort"\]: unsupported scope applied to resource/,
    },
    {
      run: "create -f -",
      stdin: json("v1", "Pod", "Bad_Name", { spec: { containers: [{ name: "c", image: "i", bogus: 1 }] } }),
      fails:
        'Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].bogus"',
    },
    {
      run: "create --validate=warn -f -",
      stdin: json("v1", "Pod", "warned", { spec: { containers: [{ name: "c", image: "i", bogus: 1 }] } }),
      says: "pod/warned created",
      warns: 'Warning: unknown field "spec.containers[0].bogus"',
    },
    {
      run: "create -f -",
      stdin: json("v9", "Pod", "x", {}),
      fails:
        'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "Pod" in version "v9"\nensure CRDs are installed first',
    },
    { run: "delete pod none", fails: 'Error from server (NotFound): pods "none" not found' },
    { run: "delete pod none --ignore-not-found", says: "" },
    {
      run: "scale sts none --replicas=1",
      fails: /no objects passed to scale|statefulsets\.apps "none" not found/,
    },
    { run: "autoscale deploy none --max=1", fails: 'Error from server (NotFound): deployments.apps "none" not found' },
    { run: "exec none -- ls", fails: 'Error from server (NotFound): pods "none" not found' },
  ],
};
