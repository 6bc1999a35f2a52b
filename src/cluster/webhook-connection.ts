import type { WebhookConnection } from "../apiserver/outbound/webhook.js";
import { accessFrom, loadKubeconfig } from "../client/kubeconfig.js";

/** How a webhook is reached, by the current context of a kubeconfig. Rejects with KubeconfigError. */
export async function webhookConnection(path: string): Promise<WebhookConnection> {
  const { server, ca, clientCertificate, clientKey, insecure, tlsServerName, token, basicAuth } = (
    await accessFrom(await loadKubeconfig([path]))
  ).options;
  return { server, ca, clientCertificate, clientKey, insecure, tlsServerName, token, basicAuth };
}
