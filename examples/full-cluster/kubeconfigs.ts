import { realClock } from "coxswain";
import { writeKubeconfig } from "coxswain/client";
import { createClusterPki, folderPkiStorage, kubeconfigFor } from "coxswain/cluster";

/**
 * Kubeconfigs for parts that run as processes of their own, beside the administrator's in the folder of `coxswain apiserver`. `nodes`
 * has their names and addresses: a node's certificate is also what it serves logs and exec with.
 */
export async function writeKubeconfigs(
  dir: string,
  server: string,
  nodes: Readonly<Record<string, string>>,
): Promise<void> {
  const pki = await createClusterPki({ clock: realClock, storage: folderPkiStorage(`${dir}/pki`) });
  const users = new Map([
    ["system:kube-scheduler", pki.scheduler],
    ["system:kube-proxy", pki.proxy],
  ]);
  for (const [name, address] of Object.entries(nodes)) {
    users.set(`system:node:${name}`, await pki.node(name, { ipAddresses: [address] }));
  }
  for (const [user, pair] of users) {
    const name = user.slice("system:".length).replace(":", "-");
    await writeKubeconfig(`${dir}/${name}.kubeconfig`, await kubeconfigFor(pki, server, user, pair));
  }
}
