import { accessFrom, createClient, HttpTransport, loadKubeconfig } from "coxswain/client";
import { createControllerManager } from "coxswain/controllers";
import { configMapCopier } from "./configmap-copier.js";

/** Runs the controller against any Kubernetes API, elected among several of its kind, until `signal` aborts. */
export async function run(kubeconfig: string, identity: string, signal: AbortSignal): Promise<void> {
  const { options } = await accessFrom(await loadKubeconfig([kubeconfig]));
  const manager = createControllerManager({
    client: createClient(new HttpTransport(options)),
    controllers: [configMapCopier.name],
    custom: [configMapCopier],
    leaderElection: { identity, namespace: "default", name: configMapCopier.name },
  });
  await manager.run({ signal, ready: () => {} });
}
