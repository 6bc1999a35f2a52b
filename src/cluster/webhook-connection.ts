import type { WebhookConnection } from "../apiserver/outbound/webhook.js";
import { accessFrom, KubeconfigError, loadKubeconfig } from "../client/kubeconfig.js";

/** How a webhook is reached, by the current context of a kubeconfig. Rejects with KubeconfigError. */
export async function webhookConnection(path: string): Promise<WebhookConnection> {
  const { options } = await accessFrom(await loadKubeconfig([path]));
  if (options.credentials !== undefined) throw new KubeconfigError(`${path}: webhooks take no exec plugins`);
  const { server, ca, clientCertificate, clientKey, insecure, tlsServerName, token, basicAuth } = options;
  return { server, ca, clientCertificate, clientKey, insecure, tlsServerName, token, basicAuth };
}
