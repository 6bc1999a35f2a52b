import type { Topic } from "./script.js";

/** Everything that `kubectl create` makes by itself. */
export const generators: Topic = {
  name: "generators",
  files: { "text.txt": "hello\n", "vars.env": "x=y\n" },
  lines: [
    {
      run: "create clusterrole {ns} --verb=get,list --resource=pods,deployments.apps --resource-name=a",
      says: "clusterrole.rbac.authorization.k8s.io/{ns} created",
    },
    {
      run: "create clusterrole {ns}-urls --verb=get --non-resource-url=/logs/*",
      says: "clusterrole.rbac.authorization.k8s.io/{ns}-urls created",
    },
    {
      run: "create clusterrole {ns}-sum --aggregation-rule=sum=yes",
      says: "clusterrole.rbac.authorization.k8s.io/{ns}-sum created",
    },
    {
      run: "create clusterrolebinding {ns} --clusterrole={ns} --user=jane --group=g --serviceaccount={ns}:default",
      says: "clusterrolebinding.rbac.authorization.k8s.io/{ns} created",
    },
    { run: "create configmap files --from-literal=a=b --from-file=text.txt", says: "configmap/files created" },
    { run: "create configmap env --from-env-file=vars.env --append-hash", says: /^configmap\/env-\w+ created$/m },
    { run: "create deployment d --image=nginx --replicas=0 --port=80", says: "deployment.apps/d created" },
    { run: "create cronjob cj --image=busybox --schedule='0 0 1 1 *' -- date", says: "cronjob.batch/cj created" },
    { run: "create job j --image=busybox -- date", says: "job.batch/j created" },
    { run: "create job from --from=cronjob/cj", says: "job.batch/from created" },
    {
      run: "create ingress ing --rule=foo.com/bar=web:80,tls=sec --class=x --default-backend=web:80",
      says: "ingress.networking.k8s.io/ing created",
    },
    { run: "create namespace {ns}-ns", says: "namespace/{ns}-ns created" },
    {
      run: "create poddisruptionbudget pdb --selector=app=web --min-available=50%",
      says: "poddisruptionbudget.policy/pdb created",
    },
    {
      run: "create priorityclass {ns} --value=1000 --description=high",
      says: "priorityclass.scheduling.k8s.io/{ns} created",
    },
    { run: "create quota q --hard=pods=30,cpu=20", says: "resourcequota/q created" },
    {
      run: "create role r --verb=get --resource=pods --resource=deployments.apps/scale",
      says: "role.rbac.authorization.k8s.io/r created",
    },
    {
      run: "create rolebinding rb --role=r --user=u --serviceaccount={ns}:default",
      says: "rolebinding.rbac.authorization.k8s.io/rb created",
    },
    { run: "create secret generic s --from-literal=a=b", says: "secret/s created" },
    {
      run: "create secret docker-registry reg --docker-username=a --docker-password=b --docker-email=e",
      says: "secret/reg created",
    },
    { run: "create service clusterip cip --tcp=80:8080", says: "service/cip created" },
    { run: "create service clusterip headless --clusterip=None", says: "service/headless created" },
    { run: "create service nodeport np --tcp=80:8080", says: "service/np created" },
    { run: "create service loadbalancer lb --tcp=80:8080", says: "service/lb created" },
    { run: "create service externalname en --external-name=foo.com", says: "service/en created" },
    { run: "create serviceaccount sa", says: "serviceaccount/sa created" },
    {
      run: "run p --image=busybox --restart=Never",
      fails: 'Error from server (Forbidden): pods "p" is forbidden: failed quota: q: must specify cpu for: p',
    },
    { run: "delete quota q", says: /^resourcequota "q" deleted/ },
    { run: "run p --image=busybox --restart=Never", says: "pod/p created" },
    { run: "get svc np -o jsonpath={.spec.ports[0].nodePort}", says: /^3\d{4}$/ },
    { run: "get svc", says: /^en +ExternalName +<none> +foo\.com +<none> /m },
    { run: "get svc lb", says: /^lb +LoadBalancer +10\.\S+ +<pending> +80:3\d{4}\/TCP /m },
    { run: "get ingress", says: /^ing +x +foo\.com +80, 443 /m },
    { run: "get pdb,cj,secret,sa -o name", says: /^poddisruptionbudget\.policy\/pdb$/m },
    {
      run: "get cj",
      says: /^NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\ncj +0 0 1 1 \* +<none> +False +\d +<none>/,
    },
    { run: "get secret", says: /^reg +kubernetes\.io\/dockerconfigjson +1 /m },
    { run: "get role,rolebinding -o wide", says: /USERS +GROUPS +SERVICEACCOUNTS\n.* u +generators\/default$/m },
    {
      run: "delete clusterrole {ns} {ns}-urls {ns}-sum",
      says: /^clusterrole\.rbac\.authorization\.k8s\.io "generators" deleted/,
    },
    { run: "delete clusterrolebinding {ns}", says: /deleted/ },
    { run: "delete priorityclass {ns}", says: /deleted/ },
  ],
};
