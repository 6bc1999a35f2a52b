import { realClock } from "../internal/clock.js";
import type { CredentialSource } from "./credentials.js";
import type { ExecPlugin } from "./exec-credentials.js";
import type { HttpTransportOptions } from "./http-transport.js";

interface Named<T> {
  readonly name: string;
  readonly value: T;
}

export interface KubeconfigCluster {
  readonly server: string;
  readonly "certificate-authority"?: string;
  readonly "certificate-authority-data"?: string;
  readonly "insecure-skip-tls-verify"?: boolean;
  readonly "tls-server-name"?: string;
  readonly extensions?: readonly { readonly name: string; readonly extension: unknown }[];
}

export interface KubeconfigUser {
  readonly "client-certificate"?: string;
  readonly "client-certificate-data"?: string;
  readonly "client-key"?: string;
  readonly "client-key-data"?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly "as-groups"?: readonly string[];
  readonly "as-uid"?: string;
  readonly "as-user-extra"?: { readonly [key: string]: readonly string[] };
  readonly exec?: ExecPlugin;
  readonly "auth-provider"?: unknown;
}

export interface KubeconfigContext {
  readonly cluster: string;
  readonly user: string;
  readonly namespace?: string;
}

/** A kubeconfig, read and merged. The first file that names something wins, as with kubectl. */
export interface Kubeconfig {
  readonly currentContext: string;
  readonly clusters: ReadonlyMap<string, KubeconfigCluster>;
  readonly users: ReadonlyMap<string, KubeconfigUser>;
  readonly contexts: ReadonlyMap<string, KubeconfigContext>;
}

/** What a transport needs, and the namespace that the context prefers. */
export interface ClusterAccess {
  readonly options: HttpTransportOptions;
  readonly namespace: string;
}

export class KubeconfigError extends Error {
  override readonly name = "KubeconfigError";
}

/** Reads text of a kubeconfig; relative paths in it are taken from `folder`. */
export async function parseKubeconfig(text: string, folder = "."): Promise<Kubeconfig> {
  const { parse } = await import("yaml");
  const { resolve } = await import("node:path");
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    throw new KubeconfigError("the kubeconfig is no YAML", { cause });
  }
  const root = asObject(document, "the kubeconfig");
  const absolute = <T extends object>(entry: T, fields: readonly (keyof T)[]): T => {
    const changes = fields.filter((field) => typeof entry[field] === "string" && entry[field] !== "");
    return { ...entry, ...Object.fromEntries(changes.map((field) => [field, resolve(folder, String(entry[field]))])) };
  };
  const clusters = entries<KubeconfigCluster>(root, "clusters", "cluster");
  const users = entries<KubeconfigUser>(root, "users", "user");
  return {
    currentContext: typeof root["current-context"] === "string" ? root["current-context"] : "",
    clusters: new Map(clusters.map(({ name, value }) => [name, absolute(value, ["certificate-authority"])])),
    users: new Map(
      users.map(({ name, value }) => {
        const user = absolute(value, ["client-certificate", "client-key", "tokenFile"]);
        // A command without a folder is looked for in PATH.
        const inFolder = user.exec?.command?.includes("/") ? absolute(user.exec, ["command"]) : user.exec;
        return [name, inFolder === undefined ? user : { ...user, exec: inFolder }];
      }),
    ),
    contexts: new Map(entries<KubeconfigContext>(root, "contexts", "context").map(({ name, value }) => [name, value])),
  };
}

/** Reads files, which may be missing as long as one is there, and merges them. */
export async function loadKubeconfig(paths: readonly string[]): Promise<Kubeconfig> {
  const { readFile } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const merged = { currentContext: "", clusters: new Map(), users: new Map(), contexts: new Map() };
  let found = false;
  for (const path of paths) {
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") continue;
      throw new KubeconfigError(`cannot read ${path}`, { cause });
    }
    found = true;
    const one = await parseKubeconfig(text, dirname(path));
    merged.currentContext ||= one.currentContext;
    for (const part of ["clusters", "users", "contexts"] as const) {
      for (const [name, value] of one[part]) if (!merged[part].has(name)) merged[part].set(name, value);
    }
  }
  if (!found) throw new KubeconfigError(`no kubeconfig at ${paths.join(", ")}`);
  return merged;
}

/** How to reach the cluster of a context; default: the current one. Reads the files that it names. */
export async function accessFrom(
  kubeconfig: Kubeconfig,
  context: string = kubeconfig.currentContext,
): Promise<ClusterAccess> {
  const chosen = kubeconfig.contexts.get(context);
  if (chosen === undefined)
    throw new KubeconfigError(context === "" ? "no current context is set" : `no context named "${context}"`);
  const cluster = kubeconfig.clusters.get(chosen.cluster);
  if (cluster === undefined) throw new KubeconfigError(`context "${context}": no cluster named "${chosen.cluster}"`);
  const user = kubeconfig.users.get(chosen.user) ?? {};
  if (user["auth-provider"] !== undefined) {
    throw new KubeconfigError(`user "${chosen.user}": auth-provider plugins are not supported`);
  }
  const ca = await pem(cluster["certificate-authority-data"], cluster["certificate-authority"]);
  const options: HttpTransportOptions = {
    server: cluster.server,
    ca,
    clientCertificate: await pem(user["client-certificate-data"], user["client-certificate"]),
    clientKey: await pem(user["client-key-data"], user["client-key"]),
    insecure: cluster["insecure-skip-tls-verify"],
    tlsServerName: cluster["tls-server-name"],
    token: tokenOf(user),
    ...(user.exec === undefined ? {} : { credentials: await pluginOf(user.exec, chosen.user, cluster, ca) }),
    ...(user.username === undefined ? {} : { basicAuth: { username: user.username, password: user.password ?? "" } }),
    ...(user.as === undefined ? {} : { impersonate: impersonation(user.as, user) }),
  };
  return { options, namespace: chosen.namespace ?? "default" };
}

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How a pod reaches its own cluster. `env` is the process's environment. */
export async function accessInCluster(
  env: { readonly [name: string]: string | undefined },
  folder: string = accountFolder,
): Promise<ClusterAccess> {
  const { readFile } = await import("node:fs/promises");
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port)
    throw new KubeconfigError("not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  const address = host.includes(":") ? `[${host}]` : host;
  const ca = await readFile(`${folder}/ca.crt`, "utf8");
  const namespace = await readFile(`${folder}/namespace`, "utf8").catch(() => "default");
  return {
    options: { server: `https://${address}:${port}`, ca, token: fileToken(`${folder}/token`) },
    namespace: namespace.trim(),
  };
}

/** A kubeconfig for one cluster and one user, as text. */
export async function formatKubeconfig(options: {
  readonly name: string;
  readonly cluster: KubeconfigCluster;
  readonly user: KubeconfigUser;
  readonly userName?: string;
  readonly namespace?: string;
}): Promise<string> {
  const { stringify } = await import("yaml");
  const { name, cluster, user, userName = `${name}-admin`, namespace } = options;
  const context = { cluster: name, user: userName, ...(namespace === undefined ? {} : { namespace }) };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster }],
    contexts: [{ name, context }],
    "current-context": name,
    users: [{ name: userName, user }],
  });
}

/** Writes a kubeconfig so that only its owner can read it, whole or not at all. */
export async function writeKubeconfig(path: string, text: string): Promise<void> {
  const { mkdir, rename, writeFile } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, path);
}

function impersonation(user: string, entry: KubeconfigUser): NonNullable<HttpTransportOptions["impersonate"]> {
  const { "as-groups": groups, "as-uid": uid, "as-user-extra": extra } = entry;
  return {
    user,
    ...(groups === undefined ? {} : { groups }),
    ...(uid === undefined ? {} : { uid }),
    ...(extra === undefined ? {} : { extra }),
  };
}

const execExtension = "client.authentication.k8s.io/exec";

async function pluginOf(
  plugin: ExecPlugin,
  name: string,
  cluster: KubeconfigCluster,
  ca: string | undefined,
): Promise<CredentialSource> {
  const { ExecPluginError, execCredentials, runPluginProcess } = await import("./exec-credentials.js");
  const config = cluster.extensions?.find((one) => one.name === execExtension)?.extension;
  const told = {
    server: cluster.server,
    "tls-server-name": cluster["tls-server-name"],
    "insecure-skip-tls-verify": cluster["insecure-skip-tls-verify"],
    "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca).toString("base64"),
    config,
  };
  const terminal = process.stdin.isTTY === true;
  try {
    return execCredentials({ plugin, cluster: told, run: runPluginProcess, terminal, clock: realClock });
  } catch (cause) {
    if (!(cause instanceof ExecPluginError)) throw cause;
    throw new KubeconfigError(`user "${name}": ${cause.message}`, { cause });
  }
}

function tokenOf({ token, tokenFile }: KubeconfigUser): HttpTransportOptions["token"] {
  if (tokenFile) return fileToken(tokenFile);
  return token ? () => token : undefined;
}

/** Bound tokens are renewed in their file about every hour; client-go reads it again once a minute. */
const rereadMs = 60_000;

function fileToken(path: string): () => Promise<string> {
  let token: string | undefined;
  let readAt = 0;
  return async () => {
    const now = realClock.now();
    if (token !== undefined && now - readAt < rereadMs) return token;
    const { readFile } = await import("node:fs/promises");
    token = (await readFile(path, "utf8")).trim();
    readAt = now;
    return token;
  };
}

async function pem(data: string | undefined, path: string | undefined): Promise<string | undefined> {
  if (data) return Buffer.from(data, "base64").toString("utf8");
  if (!path) return undefined;
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new KubeconfigError(`cannot read ${path}`, { cause });
  }
}

function entries<T>(root: { readonly [key: string]: unknown }, list: string, field: string): readonly Named<T>[] {
  const all = root[list] ?? [];
  if (!Array.isArray(all)) throw new KubeconfigError(`${list} is no list`);
  return all.map((entry: unknown) => {
    const object = asObject(entry, `an entry of ${list}`);
    return { name: String(object["name"] ?? ""), value: asObject(object[field] ?? {}, `${field} of ${list}`) as T };
  });
}

function asObject(value: unknown, what: string): { readonly [key: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new KubeconfigError(`${what} is no mapping`);
  return value as { readonly [key: string]: unknown };
}
