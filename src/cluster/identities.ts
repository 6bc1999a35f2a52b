import type { UserInfo } from "../api/index.js";
import { serviceAccountGroups, serviceAccountUsername } from "../apiserver/authn/service-account-names.js";
import { dnsPlace } from "../apiserver/bootstrap/cluster-dns.js";

const authenticated = "system:authenticated";

/** As whom the cluster's own parts come: upstream's names, so that upstream's roles are theirs. */
export const identities: {
  readonly controllerManager: UserInfo;
  readonly scheduler: UserInfo;
  readonly proxy: UserInfo;
  /** The name servers. */
  readonly dns: UserInfo;
  node(name: string): UserInfo;
  /** A controller that works with the rights of its service account in kube-system. */
  controller(account: string): UserInfo;
} = {
  controllerManager: { username: "system:kube-controller-manager", groups: [authenticated] },
  scheduler: { username: "system:kube-scheduler", groups: [authenticated] },
  proxy: { username: "system:kube-proxy", groups: ["system:node-proxier", authenticated] },
  dns: {
    username: serviceAccountUsername(dnsPlace.namespace, dnsPlace.name),
    groups: serviceAccountGroups(dnsPlace.namespace),
  },
  node: (name) => ({ username: `system:node:${name}`, groups: ["system:nodes", authenticated] }),
  controller: (account) => ({
    username: serviceAccountUsername("kube-system", account),
    groups: serviceAccountGroups("kube-system"),
  }),
};
