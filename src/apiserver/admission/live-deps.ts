import {
  isStatusError,
  type KubeObject,
  type Namespace,
  namespaces,
  type ResourceQuota,
  type ResourceType,
  resourceQuotas,
  type ServiceAccount,
  serviceAccounts,
  type UserInfo,
} from "../../api/index.js";
import type { RequestHandler, ServerRequest } from "../request.js";
import type { DefaultAdmissionDeps } from "./default-admission.js";

const self: UserInfo = { username: "system:apiserver", groups: ["system:masters"] };

/** What admission must ask the store itself, by way of the server that it is part of. */
export function liveDeps(
  handler: Pick<RequestHandler, "handle">,
): Required<Pick<DefaultAdmissionDeps, "liveNamespace" | "liveServiceAccount" | "quota">> {
  const ask = async (request: Omit<ServerRequest, "user">): Promise<KubeObject | undefined> => {
    const result = await handler.handle({ ...request, user: self });
    if (result.type === "list") return undefined;
    return result.type === "stored" ? result.stored.object : (result.object as KubeObject);
  };
  const get = async <T extends KubeObject>(
    { group, version, resource }: ResourceType<T>,
    key: { readonly namespace?: string; readonly name: string },
  ): Promise<T | undefined> => {
    try {
      return (await ask({ verb: "get", group, version, resource, ...key })) as T | undefined;
    } catch (error) {
      if (isStatusError(error, "NotFound")) return undefined;
      throw error;
    }
  };
  return {
    liveNamespace: (name) => get<Namespace>(namespaces, { name }),
    liveServiceAccount: (namespace, name) => get<ServiceAccount>(serviceAccounts, { namespace, name }),
    quota: {
      live: (namespace, name) => get<ResourceQuota>(resourceQuotas, { namespace, name }),
      updateStatus: async (quota) => {
        const { group, version, resource } = resourceQuotas;
        const { namespace, name = "" } = quota.metadata;
        const place = { group, version, resource, namespace, name, subresource: "status" };
        return (await ask({ verb: "update", ...place, body: quota })) as ResourceQuota;
      },
    },
  };
}
