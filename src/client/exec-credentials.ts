import type { Clock } from "../internal/clock.js";
import type { CredentialSource, Credentials } from "./credentials.js";

/** The `exec` of a kubeconfig's user. */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
}

/** What the plugin is told of the cluster, as its API has it. */
export interface ExecCluster {
  readonly server: string;
  readonly "tls-server-name"?: string | undefined;
  readonly "insecure-skip-tls-verify"?: boolean | undefined;
  readonly "certificate-authority-data"?: string | undefined;
  readonly config?: unknown;
}

/** Runs a plugin; resolves to what it printed. Rejects when it cannot be run or fails. */
export type RunPlugin = (plugin: {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** It may ask the person at the terminal. */
  readonly interactive: boolean;
}) => Promise<string>;

export interface ExecCredentialsOptions {
  readonly plugin: ExecPlugin;
  readonly cluster: ExecCluster;
  readonly run: RunPlugin;
  /** Whether standard input is a terminal. */
  readonly terminal: boolean;
  readonly clock: Clock;
}

/** A plugin that cannot be used, or does not answer with credentials. */
export class ExecPluginError extends Error {
  override readonly name = "ExecPluginError";
}

const group = "client.authentication.k8s.io";
const versions: readonly string[] = [`${group}/v1`, `${group}/v1beta1`];
const modes: readonly string[] = ["Never", "IfAvailable", "Always"];

/**
 * Credentials of a plugin, by the API `client.authentication.k8s.io`: it is run with the first request, and again when what it gave is over
 * or the server does not know it. All who wait share one run. Throws ExecPluginError for a plugin that makes no sense.
 */
export function execCredentials(options: ExecCredentialsOptions): CredentialSource {
  const { plugin, clock } = options;
  const problem = problemOf(plugin);
  if (problem !== undefined) throw new ExecPluginError(problem);
  let kept: { readonly credentials: Credentials; readonly untilMs: number } | undefined;
  let running: Promise<Credentials> | undefined;
  const renew = async (): Promise<Credentials> => {
    const fresh = await runOnce(options);
    kept = fresh;
    return fresh.credentials;
  };
  return {
    async current() {
      if (kept !== undefined && clock.now() < kept.untilMs) return kept.credentials;
      running ??= renew().finally(() => {
        running = undefined;
      });
      return running;
    },
    refused(credentials) {
      if (kept?.credentials === credentials) kept = undefined;
    },
  };
}

function problemOf({ apiVersion, command, interactiveMode }: ExecPlugin): string | undefined {
  if (!command) return "exec: command must be specified";
  if (!versions.includes(apiVersion)) {
    return `exec plugin: invalid apiVersion ${JSON.stringify(apiVersion ?? "")}: ${versions.join(" and ")} are supported`;
  }
  if (interactiveMode === undefined && apiVersion === versions[0]) return "exec: interactiveMode must be specified";
  if (interactiveMode === undefined || modes.includes(interactiveMode)) return undefined;
  return `exec: invalid interactiveMode ${JSON.stringify(interactiveMode)}`;
}

async function runOnce({
  plugin,
  cluster,
  run,
  terminal,
}: ExecCredentialsOptions): Promise<{ readonly credentials: Credentials; readonly untilMs: number }> {
  const { apiVersion, command, interactiveMode = "IfAvailable", provideClusterInfo = false, installHint } = plugin;
  if (interactiveMode === "Always" && !terminal) {
    throw new ExecPluginError("exec plugin cannot support interactive mode: standard input is not a terminal");
  }
  const interactive = terminal && interactiveMode !== "Never";
  const info = {
    kind: "ExecCredential",
    apiVersion,
    spec: { ...(provideClusterInfo ? { cluster } : {}), interactive },
  };
  const own = (plugin.env ?? []).map(({ name, value }) => [name, value] as const);
  const env = { ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  let text: string;
  try {
    text = await run({ command, args: plugin.args ?? [], env, interactive });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = installHint ? `\n\n${installHint}` : "";
    throw new ExecPluginError(`getting credentials: exec: ${why}${hint}`, { cause });
  }
  return answerOf(text, apiVersion);
}

/** Parses what came from outside. */
function answerOf(text: string, wanted: string): { readonly credentials: Credentials; readonly untilMs: number } {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new ExecPluginError("getting credentials: exec plugin printed no JSON", { cause });
  }
  const { apiVersion, kind, status } = Object(answer) as { [field in "apiVersion" | "kind" | "status"]?: unknown };
  const fail = (why: string): never => {
    throw new ExecPluginError(`getting credentials: exec plugin ${why}`);
  };
  if (kind !== "ExecCredential") return fail(`printed no ExecCredential`);
  if (apiVersion !== wanted)
    return fail(`is configured to use API version ${wanted}, plugin returned version ${apiVersion}`);
  if (typeof status !== "object" || status === null) return fail("didn't return a status field");
  const fields = status as { readonly [field: string]: unknown };
  const [token, clientCertificate, clientKey, expiration] = [
    "token",
    "clientCertificateData",
    "clientKeyData",
    "expirationTimestamp",
  ].map((name) => {
    const value = fields[name] ?? "";
    return typeof value === "string" ? value : fail(`returned a ${name} that is no string`);
  }) as [string, string, string, string];
  if (token === "" && clientCertificate === "" && clientKey === "") fail("didn't return a token or cert/key pair");
  if ((clientCertificate === "") !== (clientKey === "")) fail("returned only certificate or key, not both");
  const untilMs = expiration === "" ? Number.POSITIVE_INFINITY : Date.parse(expiration);
  if (Number.isNaN(untilMs)) fail(`returned an expirationTimestamp that is no time`);
  return {
    credentials: {
      ...(token === "" ? {} : { token }),
      ...(clientCertificate === "" ? {} : { clientCertificate, clientKey }),
    },
    untilMs,
  };
}

/** A person may have to open a browser and log in. */
const timeoutMs = 10 * 60_000;
const limitBytes = 1024 * 1024;

/** Runs a plugin as a process, whose errors go where this process's go. It has the environment of this process and its own. */
export const runPluginProcess: RunPlugin = async ({ command, args, env, interactive }) => {
  const { spawn } = await import("node:child_process");
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: [interactive ? "inherit" : "ignore", "pipe", "inherit"],
      timeout: timeoutMs,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout?.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else child.kill("SIGKILL");
    });
    child.on("error", (error) => {
      const missing = "code" in error && error.code === "ENOENT";
      reject(missing ? new Error(`executable ${command} not found`, { cause: error }) : error);
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString("utf8"));
      else reject(new Error(`executable ${command} failed with ${signal === null ? `exit code ${code}` : signal}`));
    });
  });
};
