import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { SubjectAccessReview, TokenReview } from "../../api/index.js";
import { subjectAccessReviews, tokenReviews } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import type { Clock } from "../../internal/clock.js";
import type { NodeServerOptions, NodeUser } from "./options.js";

const allowedForMs = 5 * 60_000;
const deniedForMs = 30_000;
const tokenForMs = 2 * 60_000;
const maxCached = 1000;

export type AccessVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 401 | 403; readonly message: string };

/** Who may call the node's API: by certificate or token, and by what the API server says they may do with this node. */
export class NodeAuth {
  readonly #options: Pick<NodeServerOptions, "authorization" | "tls">;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #nodeName: string;
  readonly #tokens = new Map<string, { readonly user: NodeUser | undefined; readonly untilMs: number }>();
  readonly #access = new Map<string, { readonly allowed: boolean; readonly untilMs: number }>();

  constructor(options: {
    readonly server: Pick<NodeServerOptions, "authorization" | "tls">;
    readonly client: Client;
    readonly clock: Clock;
    readonly nodeName: string;
  }) {
    this.#options = options.server;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#nodeName = options.nodeName;
  }

  async check(request: IncomingMessage, path: string): Promise<AccessVerdict> {
    const { authorization } = this.#options;
    if (authorization === "none") return { allowed: true };
    const user = certificateUser(request) ?? (authorization === "webhook" ? await this.#tokenUser(request) : undefined);
    if (user === undefined) return { allowed: false, code: 401, message: "Unauthorized" };
    if (authorization === "certificate") return { allowed: true };
    const verb = verbOf(request.method ?? "GET");
    const subresources = subresourcesOf(path);
    for (const subresource of subresources) if (await this.#may(user, verb, subresource)) return { allowed: true };
    const message = `Forbidden (user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(" ")}])`;
    return { allowed: false, code: 403, message };
  }

  async #tokenUser(request: IncomingMessage): Promise<NodeUser | undefined> {
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    if (token === undefined) return undefined;
    const now = this.#clock.now();
    const known = this.#tokens.get(token);
    if (known !== undefined && now < known.untilMs) return known.user;
    const review = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      metadata: {},
      spec: { token },
    } as const;
    const { status } = await this.#client.create<TokenReview>(tokenReviews, review as unknown as TokenReview);
    const { username = "", uid, groups = [], extra } = status?.user ?? {};
    const user = status?.authenticated ? { username, uid, groups, extra } : undefined;
    remember(this.#tokens, token, { user, untilMs: now + tokenForMs });
    return user;
  }

  async #may(user: NodeUser, verb: string, subresource: string): Promise<boolean> {
    const key = JSON.stringify([user.username, user.groups, verb, subresource]);
    const now = this.#clock.now();
    const known = this.#access.get(key);
    if (known !== undefined && now < known.untilMs) return known.allowed;
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: {
        user: user.username,
        groups: user.groups,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        ...(user.extra === undefined ? {} : { extra: user.extra }),
        resourceAttributes: { verb, group: "", version: "v1", resource: "nodes", subresource, name: this.#nodeName },
      },
    } as const;
    const { status } = await this.#client.create<SubjectAccessReview>(
      subjectAccessReviews,
      review as unknown as SubjectAccessReview,
    );
    const allowed = status?.allowed === true;
    remember(this.#access, key, { allowed, untilMs: now + (allowed ? allowedForMs : deniedForMs) });
    return allowed;
  }
}

function remember<T>(cache: Map<string, T>, key: string, value: T): void {
  cache.delete(key);
  cache.set(key, value);
  const [oldest] = cache.keys();
  if (cache.size > maxCached && oldest !== undefined) cache.delete(oldest);
}

function certificateUser(request: IncomingMessage): NodeUser | undefined {
  const socket = request.socket as Partial<TLSSocket>;
  if (!socket.authorized || socket.getPeerCertificate === undefined) return undefined;
  const { subject } = socket.getPeerCertificate();
  const commonName = subject?.CN as string | readonly string[] | undefined;
  const organisations = subject?.O as string | readonly string[] | undefined;
  const username = typeof commonName === "string" ? commonName : commonName?.[0];
  if (!username) return undefined;
  const groups = organisations === undefined ? [] : typeof organisations === "string" ? [organisations] : organisations;
  return { username, groups: [...groups, "system:authenticated"] };
}

function verbOf(method: string): string {
  const verbs: Readonly<Record<string, string>> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };
  return Object.hasOwn(verbs, method) ? (verbs[method] ?? "get") : "get";
}

/** The subresources of `nodes` any one of which opens a path: a fine one where there is one, and `proxy`. */
function subresourcesOf(path: string): readonly string[] {
  const is = (prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);
  if (is("/stats")) return ["stats"];
  if (is("/metrics")) return ["metrics"];
  if (is("/logs")) return ["log"];
  if (is("/checkpoint")) return ["checkpoint"];
  if (is("/pods") || is("/runningpods")) return ["pods", "proxy"];
  if (is("/healthz")) return ["healthz", "proxy"];
  return is("/configz") ? ["configz", "proxy"] : ["proxy"];
}
