import { expect, test } from "vitest";
import { VirtualClock } from "../internal/virtual-clock.js";
import { type ExecCredentialsOptions, type ExecPlugin, execCredentials, type RunPlugin } from "./exec-credentials.js";

const apiVersion = "client.authentication.k8s.io/v1";
const plugin: ExecPlugin = { apiVersion, command: "login", args: ["now"], interactiveMode: "IfAvailable" };
const start = Date.parse("2026-01-01T00:00:00Z");

function source(statuses: readonly unknown[], options: Partial<ExecCredentialsOptions> = {}) {
  const ran: Parameters<RunPlugin>[0][] = [];
  const clock = new VirtualClock(start);
  const run: RunPlugin = async (given) => {
    const status = statuses[Math.min(ran.length, statuses.length - 1)];
    ran.push(given);
    return JSON.stringify({ apiVersion, kind: "ExecCredential", status });
  };
  const cluster = { server: "https://h", config: { audience: "a" } };
  return { ran, clock, credentials: execCredentials({ plugin, cluster, run, terminal: false, clock, ...options }) };
}

test("a plugin is told what it is for, and run once by all who wait", async () => {
  const own = { ...plugin, env: [{ name: "A", value: "b" }], provideClusterInfo: true };
  const { ran, credentials } = source([{ token: "t" }], { plugin: own });
  const found = await Promise.all([credentials.current(), credentials.current()]);
  expect(found).toEqual([{ token: "t" }, { token: "t" }]);
  expect(await credentials.current()).toBe(found[0]);
  expect(ran).toMatchObject([{ command: "login", args: ["now"], env: { A: "b" }, interactive: false }]);
  expect(JSON.parse(ran[0]?.env["KUBERNETES_EXEC_INFO"] ?? "")).toEqual({
    apiVersion,
    kind: "ExecCredential",
    spec: { cluster: { server: "https://h", config: { audience: "a" } }, interactive: false },
  });
});

test("a plugin is run again when what it gave is over, or was refused", async () => {
  const { ran, clock, credentials } = source([
    { token: "a", expirationTimestamp: "2026-01-01T00:01:00Z" },
    { token: "b" },
  ]);
  const first = await credentials.current();
  await clock.advance(59_999);
  expect(await credentials.current()).toBe(first);
  await clock.advance(1);
  const second = await credentials.current();
  expect(second).toEqual({ token: "b" });
  // What was refused is not what there is now.
  credentials.refused(first);
  await credentials.current();
  expect(ran).toHaveLength(2);
  credentials.refused(second);
  await credentials.current();
  expect(ran).toHaveLength(3);
});

test.each<[mode: string, terminal: boolean, interactive: boolean]>([
  ["Never", true, false],
  ["IfAvailable", true, true],
  ["IfAvailable", false, false],
  ["Always", true, true],
])("in the mode %s, with a terminal %s, it may ask: %s", async (interactiveMode, terminal, interactive) => {
  const { ran, credentials } = source([{ token: "t" }], { plugin: { ...plugin, interactiveMode }, terminal });
  await credentials.current();
  expect(ran[0]?.interactive).toBe(interactive);
});

test.each<[string, unknown, string]>([
  ["no status", undefined, "didn't return a status field"],
  ["nothing", {}, "didn't return a token or cert/key pair"],
  ["a certificate alone", { clientCertificateData: "c" }, "returned only certificate or key, not both"],
  ["a token that is none", { token: 7 }, "returned a token that is no string"],
  ["a time that is none", { token: "t", expirationTimestamp: "soon" }, "an expirationTimestamp that is no time"],
])("a plugin that returns %s is refused", async (_, status, message) => {
  await expect(source([status]).credentials.current()).rejects.toThrow(message);
});

test.each<[string, Partial<ExecCredentialsOptions>, string]>([
  ["prints no JSON", { run: async () => "hello" }, "printed no JSON"],
  ["prints something else", { run: async () => '{"kind":"Pod"}' }, "printed no ExecCredential"],
  [
    "prints another version",
    { run: async () => '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}' },
    "is configured to use API version client.authentication.k8s.io/v1, plugin returned version",
  ],
  [
    "fails",
    {
      plugin: { ...plugin, installHint: "install it" },
      run: () => Promise.reject(new Error("executable login not found")),
    },
    "getting credentials: exec: executable login not found\n\ninstall it",
  ],
  ["needs a person", { plugin: { ...plugin, interactiveMode: "Always" } }, "standard input is not a terminal"],
])("a plugin that %s is refused", async (_, options, message) => {
  await expect(source([{ token: "t" }], options).credentials.current()).rejects.toThrow(message);
});

test.each<[string, Partial<ExecPlugin>, string]>([
  ["no command", { command: "" }, "command must be specified"],
  ["another version", { apiVersion: "client.authentication.k8s.io/v1alpha1" }, "invalid apiVersion"],
  ["another mode", { interactiveMode: "Maybe" }, 'invalid interactiveMode "Maybe"'],
])("a plugin of %s is refused before it is run", (_, change, message) => {
  expect(() => source([], { plugin: { ...plugin, ...change } })).toThrow(message);
});
