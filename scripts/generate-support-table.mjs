// Writes docs/support.md from the descriptions of the built-in kinds and the built-in controllers. Needs a build. `--check` only compares.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { put } from "./docs-lib.mjs";
import { root } from "./lib.mjs";

const load = (subpath) => import(pathToFileURL(join(root, "dist", subpath, "index.js")).href);
const { apiVersionOf, builtinDescriptions, qualifiedResource } = await load("api");
const { builtinControllers } = await load("controllers");

/** What each controller acts for. One that is missing here, or is no more, stops this script. */
const servedBy = {
  "deployment-controller": ["deployments.apps"],
  "replicaset-controller": ["replicasets.apps"],
  "replicationcontroller-controller": ["replicationcontrollers"],
  "daemonset-controller": ["daemonsets.apps"],
  "statefulset-controller": ["statefulsets.apps"],
  "job-controller": ["jobs.batch"],
  "cronjob-controller": ["cronjobs.batch"],
  "ttl-after-finished-controller": ["jobs.batch"],
  "horizontal-pod-autoscaler-controller": ["horizontalpodautoscalers.autoscaling"],
  "disruption-controller": ["poddisruptionbudgets.policy"],
  "endpointslice-controller": ["services", "endpointslices.discovery.k8s.io"],
  "endpoints-controller": ["services", "endpoints"],
  "endpointslice-mirroring-controller": ["endpoints"],
  "serviceaccount-controller": ["serviceaccounts"],
  "root-ca-certificate-publisher-controller": ["namespaces"],
  "namespace-controller": ["namespaces"],
  "garbage-collector-controller": [],
  "node-lifecycle-controller": ["nodes"],
  "taint-eviction-controller": ["nodes"],
  "ttl-controller": ["nodes"],
  "pod-garbage-collector-controller": ["pods"],
  "persistentvolume-binder-controller": ["persistentvolumeclaims", "persistentvolumes"],
  "persistentvolume-attach-detach-controller": ["volumeattachments.storage.k8s.io", "nodes"],
  "persistentvolume-expander-controller": ["persistentvolumeclaims"],
  "persistentvolumeclaim-protection-controller": ["persistentvolumeclaims"],
  "persistentvolume-protection-controller": ["persistentvolumes"],
  "volumeattributesclass-protection-controller": ["volumeattributesclasses.storage.k8s.io"],
  "ephemeral-volume-controller": ["pods", "persistentvolumeclaims"],
  "service-cidr-controller": ["servicecidrs.networking.k8s.io"],
  "resourceclaim-controller": ["pods", "resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"],
  "validatingadmissionpolicy-status-controller": ["validatingadmissionpolicies.admissionregistration.k8s.io"],
  "clusterrole-aggregation-controller": ["clusterroles.rbac.authorization.k8s.io"],
  "resourcequota-controller": ["resourcequotas"],
  "node-ipam-controller": ["nodes"],
  "bootstrap-signer-controller": ["configmaps"],
  "token-cleaner-controller": ["secrets"],
  "serviceaccount-token-controller": ["secrets"],
  "certificatesigningrequest-approving-controller": ["certificatesigningrequests.certificates.k8s.io"],
  "certificatesigningrequest-signing-controller": ["certificatesigningrequests.certificates.k8s.io"],
  "certificatesigningrequest-cleaner-controller": ["certificatesigningrequests.certificates.k8s.io"],
};

/** Controllers that are only there when they are given what they need. */
const options = {
  rootCa: "PEM",
  quota: {},
  nodeIpam: { clusterCidrs: ["10.0.0.0/16"], maskSizes: [24] },
  signToken: () => {},
  certificates: {},
};
const controllers = builtinControllers(options).map(({ name }) => name);
const unknown = controllers.filter((name) => !Object.hasOwn(servedBy, name));
const gone = Object.keys(servedBy).filter((name) => !controllers.includes(name));
if (unknown.length + gone.length > 0) {
  throw new Error(
    `scripts/generate-support-table.mjs: unknown ${unknown.join(", ") || "none"}, gone ${gone.join(", ") || "none"}`,
  );
}

const fullVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const descriptions = [...builtinDescriptions()];
const resources = new Set(descriptions.map(qualifiedResource));
for (const name of Object.values(servedBy).flat()) {
  if (!resources.has(name)) throw new Error(`scripts/generate-support-table.mjs: there is no resource ${name}`);
}

const byVersion = new Map();
for (const description of descriptions) {
  const version = apiVersionOf(description);
  byVersion.set(version, [...(byVersion.get(version) ?? []), description]);
}
const sections = [...byVersion].map(([version, kinds]) => `## ${version}\n\n${table(kinds)}`);
const count = `${descriptions.length} resources in ${byVersion.size} group versions`;

put(
  "docs/support.md",
  `<!-- Made by scripts/generate-support-table.mjs: change the descriptions, not this file. -->
# What the API serves

${count}, made from the descriptions that the server itself reads.

- **Verbs**: "all" is ${fullVerbs.join(", ")}.
- **Defaults** and **validation**: beyond the schema, the rules of the kind itself. A dash means that the kind is stored as it comes, checked
  against its schema.
- **Controllers**: those that act for the kind, by the names that \`--controllers\` takes. The garbage-collector-controller acts for all.

${sections.join("\n\n")}
`,
);

function table(kinds) {
  const head = ["Kind", "Resource", "Verbs", "Subresources", "Defaults", "Validation", "Controllers"];
  const rows = kinds.map((description) => {
    const { kind, resource, shortNames, verbs, subresources, strategy } = description;
    const acting = controllers.filter((name) => servedBy[name].includes(qualifiedResource(description)));
    return [
      kind,
      [resource, ...shortNames].join(", "),
      fullVerbs.every((verb) => verbs.includes(verb)) ? "all" : verbs.join(", "),
      [...subresources.keys()].sort().join(", ") || "-",
      strategy.defaults === undefined ? "-" : "yes",
      (strategy.validate ?? strategy.validateCreate) === undefined ? "-" : "yes",
      acting.join(", ") || "-",
    ];
  });
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
