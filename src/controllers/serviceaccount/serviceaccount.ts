import { configMaps, isStatusError, type Namespace, namespaces, serviceAccounts } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineController, watching } from "../define-controller.js";

/** Gives every namespace the service account that pods have which name none. */
export const serviceAccountController: Controller = defineController<Namespace>({
  name: "serviceaccount-controller",
  account: "service-account-controller",
  aliases: ["serviceaccount"],
  for: namespaces,
  watches: [
    watching({
      resource: serviceAccounts,
      keys: ({ metadata }, { deleted }) => (deleted && metadata.name === "default" ? [metadata.namespace ?? ""] : []),
    }),
  ],
  async reconcile(key, { client, informer, signal }) {
    if (!isActive(informer(namespaces).get(key)) || informer(serviceAccounts).get(`${key}/default`) !== undefined)
      return;
    const account = {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { namespace: key, name: "default" },
    } as const;
    await ignoring(["AlreadyExists", "Forbidden"], () => client.create(serviceAccounts, account, { signal }));
  },
});

const rootCaName = "kube-root-ca.crt";
const description =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** Puts the bundle that proves the API server's identity into every namespace. */
export function rootCaPublisher(caBundle: string): Controller {
  const data = { "ca.crt": caBundle };
  const annotations = { "kubernetes.io/description": description };
  return defineController<Namespace>({
    name: "root-ca-certificate-publisher-controller",
    account: "root-ca-cert-publisher",
    aliases: ["root-ca-cert-publisher"],
    for: namespaces,
    watches: [
      watching({
        resource: configMaps,
        options: { fieldSelector: `metadata.name=${rootCaName}` },
        keys: ({ metadata }) => [metadata.namespace ?? ""],
      }),
    ],
    async reconcile(key, { client, informer, signal }) {
      if (!isActive(informer(namespaces).get(key))) return;
      const current = informer(configMaps, { fieldSelector: `metadata.name=${rootCaName}` }).get(
        `${key}/${rootCaName}`,
      );
      if (current === undefined) {
        const metadata = { namespace: key, name: rootCaName, annotations };
        const wanted = { apiVersion: "v1", kind: "ConfigMap", metadata, data } as const;
        await ignoring(["AlreadyExists", "Forbidden"], () => client.create(configMaps, wanted, { signal }));
      } else if (current.data?.["ca.crt"] !== caBundle || Object.keys(current.data).length !== 1) {
        const metadata = { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } };
        await client.update(configMaps, { ...current, metadata, data }, { signal });
      }
    },
  });
}

function isActive(namespace: Namespace | undefined): boolean {
  return namespace !== undefined && namespace.metadata.deletionTimestamp === undefined;
}

async function ignoring(
  reasons: readonly ("AlreadyExists" | "Forbidden")[],
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!reasons.some((reason) => isStatusError(error, reason))) throw error;
  }
}
