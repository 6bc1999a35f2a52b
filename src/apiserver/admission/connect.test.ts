import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isStatusError, type JsonObject, type MatchResources } from "../../api/index.js";
import {
  bindMutating,
  bindValidating,
  type PolicyServer,
  startPolicyServer,
} from "../../testing/policy-server.fixture.js";
import type { AdmissionRequest } from "./admission.js";
import { namespaceLifecycle } from "./namespace-lifecycle.js";

let server: PolicyServer;
const seen: AdmissionRequest[] = [];

beforeEach(async () => {
  seen.length = 0;
  server = await startPolicyServer({
    more: ({ cacheReader: cache }) => [
      {
        name: "Seen",
        handles: ({ operation }) => operation === "CONNECT",
        validate: (request) => void seen.push(request),
      },
      namespaceLifecycle({ cache }),
    ],
  });
});

afterEach(() => server[Symbol.asyncDispose]());

const streams: MatchResources = {
  resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CONNECT"], resources: ["pods/exec"] }],
};

function exec(options: object, subresource = "exec"): Promise<JsonObject> {
  const place = { group: "", version: "v1", resource: "pods", subresource, namespace: "default", name: "web" };
  const user = { username: "eve", groups: ["system:authenticated"] };
  const request = { verb: "create" as const, ...place, user };
  return server.api.admitConnect(request, { kind: "PodExecOptions", apiVersion: "v1", ...options });
}

async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return "";
  } catch (error) {
    if (isStatusError(error)) return error.status.message ?? "";
    throw error;
  }
}

describe("a request that leads into an object", () => {
  it("is judged by policies for CONNECT, which see its options", async () => {
    const expression =
      "request.operation == 'CONNECT' && request.subResource == 'exec' && request.kind.kind == 'PodExecOptions' && object.command[0] != 'sh' && oldObject == null";
    await bindValidating(server.client, "no-shell", { matchConstraints: streams, validations: [{ expression }] });
    expect(await refusal(exec({ command: ["ls"] }))).toBe("");
    expect(await refusal(exec({ command: ["sh"] }))).toMatch(/^pods "web" is forbidden: .*'no-shell'.* denied request/);
    expect(await refusal(exec({ command: ["sh"] }, "attach"))).toBe("");
  });

  it("can be changed on its way", async () => {
    const expression = "[JSONPatch{op: 'replace', path: '/command/0', value: 'true'}]";
    await bindMutating(server.client, "p", {
      matchConstraints: streams,
      mutations: [{ patchType: "JSONPatch", jsonPatch: { expression } }],
    });
    expect(await exec({ command: ["sh"] })).toEqual({ kind: "PodExecOptions", apiVersion: "v1", command: ["true"] });
  });

  it("is shown to every plugin that handles it, as what it is", async () => {
    await exec({ command: ["ls"] });
    expect(seen).toMatchObject([
      {
        operation: "CONNECT",
        kind: "PodExecOptions",
        resource: "pods",
        subresource: "exec",
        namespace: "default",
        name: "web",
        object: { command: ["ls"] },
        oldObject: undefined,
        dryRun: false,
      },
    ]);
  });
});
