import {
  builtinSchema,
  builtinSchemaIds,
  isStatusError,
  type KubeObject,
  type Namespace,
  type ResourceDescription,
  type Schema,
  statusErrors,
} from "../../../api/index.js";
import type { Authorizer } from "../../authz/authorizer.js";
import type { ApiServer } from "../../server.js";
import type { AdmissionPlugin } from "../admission.js";
import { equivalentResources, objectConverter } from "../equivalents.js";
import { settler } from "../settle.js";
import { mutatingPolicies } from "./mutating-policies.js";
import { paramRights } from "./param-rights.js";
import { lazyEnvironments, type PolicyDeps } from "./policy-deps.js";
import { validatingPolicies } from "./validating-policies.js";

export interface AdmissionPoliciesOptions {
  /** Whom expressions ask by `authorizer`. Absent: everything is allowed, as on a server without one. */
  readonly authorizer?: Authorizer | undefined;
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
}

/** Admission by the policies among the objects of the server. */
export function admissionPolicies(
  server: ApiServer,
  options: AdmissionPoliciesOptions = {},
): readonly AdmissionPlugin[] {
  const deps: PolicyDeps = {
    cache: server.cacheReader,
    authorizer: options.authorizer,
    liveNamespace: options.liveNamespace,
    environments: lazyEnvironments(),
    equivalents: equivalentResources(server),
    convert: objectConverter(server),
    settle: settler(server, { strict: true }),
    schemaOf: (resource, subresource) => schemaOf(server.endpointFor(resource).description, subresource),
    resourceOf: ({ group, version, kind }) =>
      server.table.all().find((each) => each.kind === kind && each.group === group && each.version === version),
    liveObject: async ({ group, version, resource }, key): Promise<KubeObject | undefined> => {
      try {
        const user = { username: "system:apiserver", groups: ["system:masters"] };
        const result = await server.handle({ verb: "get", group, version, resource, ...key, user });
        return result.type === "stored" ? result.stored.object : undefined;
      } catch (error) {
        if (isStatusError(error, "NotFound")) return undefined;
        throw error;
      }
    },
  };
  const { authorizer } = options;
  const rights = authorizer === undefined ? [] : [paramRights({ ...deps, authorizer })];
  return [mutatingPolicies(deps), ...rights, validatingPolicies(deps)];
}

function schemaOf({ schema, kind, subresources }: ResourceDescription, subresource: string): Schema {
  const taken = subresources.get(subresource);
  if (taken === undefined || taken.kind === kind || taken.kind === "") return schema;
  const id = `${taken.group.split(".")[0] || "core"}.${taken.version}.${taken.kind}`;
  if (builtinSchemaIds().includes(id)) return builtinSchema(id);
  throw statusErrors.serviceUnavailable(`Resource kind ${taken.kind} not found.`);
}
