import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builtinDescriptions } from "../../api/describe/index.js";
import {
  type DeviceClaim,
  namespaces,
  resourceClaims,
  resourceClaimTemplates,
  type StatusError,
} from "../../api/index.js";
import { builtinStrategies } from "../../api/kinds/index.js";
import { type Client, createClient } from "../../client/index.js";
import { MemoryStore } from "../../store/index.js";
import { ApiServer } from "../server.js";

let stop: AbortController;
let client: Client;
let running: Promise<void>;

beforeEach(async () => {
  stop = new AbortController();
  const server = new ApiServer({ store: new MemoryStore(), resources: builtinDescriptions(builtinStrategies) });
  await new Promise<void>((ready) => {
    running = server.component.run({ signal: stop.signal, ready });
  });
  client = createClient(server.transport());
});

afterEach(async () => {
  stop.abort();
  await running;
});

const devices = (adminAccess: boolean): DeviceClaim => ({
  requests: [
    { name: "a", exactly: { deviceClassName: "gpu" } },
    { name: "b", exactly: { deviceClassName: "gpu", adminAccess } },
  ],
});

async function namespace(name: string, labels: { readonly [key: string]: string }): Promise<void> {
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
}

async function claim(at: string, adminAccess: boolean): Promise<string> {
  const given = {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    spec: { devices: devices(adminAccess) },
  } as const;
  const metadata = { namespace: at, generateName: "c-" };
  return client.create(resourceClaims, { ...given, metadata }).then(
    () => "",
    (error: StatusError) => error.message,
  );
}

describe("claims with an administrator's access", () => {
  it("are for namespaces that say so", async () => {
    await namespace("plain", { "resource.kubernetes.io/admin-access": "false" });
    await namespace("special", { "resource.kubernetes.io/admin-access": "true" });
    expect(await claim("plain", true)).toMatch(
      /is invalid: spec\.devices\.requests\[1\]\.adminAccess: Forbidden: admin access to devices requires the `resource\.kubernetes\.io\/admin-access: true` label on the containing namespace$/,
    );
    expect(await claim("plain", false)).toBe("");
    expect(await claim("special", true)).toBe("");
  });

  it("may not come from templates either", async () => {
    await namespace("other", {});
    const made = client.create(resourceClaimTemplates, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaimTemplate",
      metadata: { namespace: "other", name: "t" },
      spec: { spec: { devices: devices(true) } },
    });
    await expect(made).rejects.toThrow("admin access to devices requires");
  });
});
