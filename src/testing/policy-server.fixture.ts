import { builtinDescriptions } from "../api/describe/index.js";
import type { MatchResources, MutatingAdmissionPolicy, ValidatingAdmissionPolicy } from "../api/index.js";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  namespaces,
  type UserInfo,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import type { AdmissionPlugin } from "../apiserver/admission/admission.js";
import { admissionPolicies } from "../apiserver/admission/policies/plugins.js";
import type { Authorizer } from "../apiserver/authz/authorizer.js";
import { crds } from "../apiserver/crd/index.js";
import { inProcessTransport } from "../apiserver/in-process.js";
import type { RequestHandler } from "../apiserver/request.js";
import { ApiServer } from "../apiserver/server.js";
import { type Client, createClient } from "../client/index.js";
import { MemoryStore } from "../store/index.js";

/** An API server with policies, over a store in memory, and what it said beside its answers. */
export interface PolicyServer extends AsyncDisposable {
  readonly api: ApiServer;
  readonly client: Client;
  readonly warnings: string[];
  readonly annotations: Map<string, string>;
  as(user: UserInfo): Client;
}

export async function startPolicyServer(
  options: {
    readonly authorizer?: Authorizer;
    readonly store?: MemoryStore;
    readonly more?: (server: ApiServer) => readonly AdmissionPlugin[];
  } = {},
): Promise<PolicyServer> {
  const stop = new AbortController();
  const { authorizer, more } = options;
  const api = new ApiServer({
    store: options.store ?? new MemoryStore(),
    resources: builtinDescriptions(builtinStrategies),
    admission: (server) => [...admissionPolicies(server, { authorizer }), ...(more?.(server) ?? [])],
  });
  const parts = [api.component, crds(api)];
  const running: Promise<void>[] = [];
  for (const part of parts) {
    await new Promise<void>((ready) => running.push(part.run({ signal: stop.signal, ready })));
  }
  const warnings: string[] = [];
  const annotations = new Map<string, string>();
  const listening: RequestHandler = {
    handle: (request) =>
      api.handle({
        ...request,
        warn: (text) => warnings.push(text),
        annotate: (key, value) => annotations.set(key, value),
      }),
    watch: (request) => api.watch(request),
  };
  const as = (user: UserInfo): Client => createClient(inProcessTransport(listening, user, "test"));
  const client = as({ username: "admin", groups: ["system:masters"] });
  if (options.store === undefined) {
    await client.create(namespaces, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "default", labels: { environment: "test" } },
    });
  }
  return {
    api,
    client,
    warnings,
    annotations,
    as,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.allSettled(running);
    },
  };
}

const apiVersion = "admissionregistration.k8s.io/v1";

/** Rules for writes of deployments. */
export const deploymentWrites: MatchResources = {
  resourceRules: [
    { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["deployments"] },
  ],
};

/** Creates a policy and a binding of the same name. */
export async function bindValidating(
  client: Client,
  name: string,
  spec: NonNullable<ValidatingAdmissionPolicy["spec"]>,
  binding: object = {},
): Promise<void> {
  const policy = { matchConstraints: deploymentWrites, ...spec };
  await client.create(validatingAdmissionPolicies, {
    apiVersion,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: policy,
  });
  await client.create(validatingAdmissionPolicyBindings, {
    apiVersion,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"], ...binding },
  });
}

export async function bindMutating(
  client: Client,
  name: string,
  spec: NonNullable<MutatingAdmissionPolicy["spec"]>,
  binding: object = {},
): Promise<void> {
  await client.create(mutatingAdmissionPolicies, {
    apiVersion,
    kind: "MutatingAdmissionPolicy",
    metadata: { name },
    spec: { matchConstraints: deploymentWrites, ...spec },
  });
  await client.create(mutatingAdmissionPolicyBindings, {
    apiVersion,
    kind: "MutatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, ...binding },
  });
}
