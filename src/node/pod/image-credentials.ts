import type { Pod } from "../../api/index.js";
import type { ImageAuth } from "../../runtime/index.js";
import type { PodObjects } from "../pod-objects.js";
import { specOf } from "./containers.js";

const configKeys = [".dockerconfigjson", ".dockercfg"] as const;

/** Finds, in a pod's imagePullSecrets, what is good for a reference's registry; the most specific path first. */
export function imageCredentials(objects: PodObjects): (pod: Pod, reference: string) => Promise<readonly ImageAuth[]> {
  return async (pod, reference) => {
    const found: { readonly path: string; readonly auth: ImageAuth }[] = [];
    for (const { name } of specOf(pod).imagePullSecrets ?? []) {
      const secret = name ? await objects.secret(pod.metadata.namespace ?? "", name) : undefined;
      for (const key of configKeys) {
        const data = secret?.data?.[key];
        if (data === undefined) continue;
        for (const [path, auth] of parse(Buffer.from(data, "base64").toString(), key)) {
          if (covers(path, withRegistry(reference))) found.push({ path, auth });
        }
      }
    }
    return found.sort((a, b) => b.path.length - a.path.length).map(({ auth }) => auth);
  };
}

function parse(text: string, key: (typeof configKeys)[number]): [string, ImageAuth][] {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    // A broken secret is no credential.
    return [];
  }
  const auths = key === ".dockercfg" ? config : (config as { readonly auths?: unknown } | null)?.auths;
  if (typeof auths !== "object" || auths === null) return [];
  return Object.entries(auths as Record<string, Record<string, unknown> | null>).flatMap(([server, entry]) => {
    if (entry === null || typeof entry !== "object") return [];
    const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
    const [user, ...password] = Buffer.from(text(entry.auth) ?? "", "base64")
      .toString()
      .split(":");
    const auth: ImageAuth = {
      username: text(entry.username) ?? user,
      password: text(entry.password) ?? password.join(":"),
      identityToken: text(entry.identitytoken),
    };
    return [[server.replace(/^https?:\/\//, "").replace(/\/(v1|v2)?\/?$/, ""), auth] satisfies [string, ImageAuth]];
  });
}

function withRegistry(reference: string): string {
  const first = reference.split("/")[0] ?? "";
  const named = reference.includes("/") && (/[.:]/.test(first) || first === "localhost");
  return named ? reference : `index.docker.io/${reference.includes("/") ? "" : "library/"}${reference}`;
}

function covers(path: string, reference: string): boolean {
  const [host = "", ...rest] = path.split("/");
  const [registry = "", ...repository] = reference.split("/");
  const wanted = host.split(".");
  const given = registry === "docker.io" ? ["index", "docker", "io"] : registry.split(".");
  const sameHost =
    wanted.length === given.length && wanted.every((label, index) => label === "*" || label === given[index]);
  return sameHost && rest.every((step, index) => step === repository[index]);
}
