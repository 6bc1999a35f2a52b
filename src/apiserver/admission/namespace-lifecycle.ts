import { type Namespace, namespaces, statusErrors } from "../../api/index.js";
import type { AdmissionPlugin, CacheReader } from "./admission.js";
import { refuse } from "./objects.js";

const protectedNamespaces: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);
const accessReviews = "authorization.k8s.io";

/** Nothing is made in a namespace that is not there or is going, and the namespaces that the cluster needs stay. */
export function namespaceLifecycle(deps: {
  readonly cache: CacheReader;
  /** Looks in the store where the cache may be behind: another server may just have made it. */
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
}): AdmissionPlugin {
  return {
    name: "NamespaceLifecycle",
    handles: (request) => request.operation !== "CONNECT",
    async admit(request) {
      const object = request.object ?? {};
      if (request.resource === "namespaces" && request.group === "") {
        if (request.operation === "DELETE" && protectedNamespaces.has(request.name)) {
          throw refuse(request, "this namespace may not be deleted");
        }
        return object;
      }
      if (request.namespace === "" || request.operation === "DELETE" || request.group === accessReviews) return object;
      const { namespace: name } = request;
      const found = deps.cache.get(namespaces, { name }) ?? (await deps.liveNamespace?.(name));
      if (found === undefined) throw statusErrors.notFound({ group: "", resource: "namespaces" }, name);
      if (request.operation !== "CREATE" || found.status?.phase !== "Terminating") return object;
      throw refuse(request, `unable to create new content in namespace ${name} because it is being terminated`, [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${name} is being terminated`,
          field: "metadata.namespace",
        },
      ]);
    },
  };
}
