import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { Node, Pod } from "../../api/index.js";
import type { Extender } from "./extender.js";

export interface HttpExtenderOptions {
  /** `http://127.0.0.1:8888/scheduler`; verbs are appended after a slash. */
  readonly urlPrefix: string;
  readonly filterVerb?: string | undefined;
  readonly prioritizeVerb?: string | undefined;
  readonly preemptVerb?: string | undefined;
  readonly bindVerb?: string | undefined;
  readonly weight?: number | undefined;
  /** For one call; default 5000. */
  readonly timeoutMs?: number | undefined;
  /** Whether it knows the nodes, so that their names are enough. */
  readonly nodeCacheCapable?: boolean | undefined;
  /** Only pods that ask for one of these are its business; none: all pods are. */
  readonly managedResources?: readonly string[] | undefined;
  readonly ignorable?: boolean | undefined;
  /** PEM. */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly serverName?: string | undefined;
    readonly insecure?: boolean | undefined;
  };
}

const maxAnswerBytes = 64 * 2 ** 20;

/** An extender behind upstream's HTTP protocol: JSON by POST, with the field names of upstream's Go types. Rejects with Error. */
export function httpExtender(options: HttpExtenderOptions): Extender {
  const { urlPrefix, filterVerb, prioritizeVerb, preemptVerb, bindVerb, managedResources = [] } = options;
  const call = async (verb: string, body: object, signal: AbortSignal): Promise<Answer> => {
    const answer = new Answer(await post(`${urlPrefix.replace(/\/+$/, "")}/${verb}`, body, options, signal));
    const error = answer.text("Error");
    if (error !== "") throw new Error(error);
    return answer;
  };
  const about = (pod: Pod, nodes: readonly Node[]): object =>
    options.nodeCacheCapable
      ? { Pod: pod, Nodes: null, NodeNames: nodes.map(({ metadata }) => metadata.name) }
      : { Pod: pod, Nodes: { metadata: {}, items: nodes }, NodeNames: null };
  return {
    name: urlPrefix,
    weight: options.weight ?? 1,
    ignorable: options.ignorable ?? false,
    interested: (pod) => managedResources.length === 0 || asksFor(pod, managedResources),
    ...(filterVerb
      ? {
          async filter(pod, nodes, signal) {
            const answer = await call(filterVerb, about(pod, nodes), signal);
            const unresolvable = answer.texts("FailedAndUnresolvableNodes");
            const failed = answer.texts("FailedNodes");
            const passed = answer.names();
            // A node that is neither passed nor failed has not passed.
            for (const { metadata } of passed === undefined ? [] : nodes) {
              const { name } = metadata;
              if (!passed?.has(name) && !failed.has(name)) failed.set(name, "node(s) were filtered out by an extender");
            }
            return { failed, unresolvable };
          },
        }
      : {}),
    ...(prioritizeVerb
      ? {
          async prioritize(pod, nodes, signal) {
            return (await call(prioritizeVerb, about(pod, nodes), signal)).scores();
          },
        }
      : {}),
    ...(preemptVerb
      ? {
          async preempt(pod, { nodeName, victims }, signal) {
            const whole = { Pods: victims, NumPDBViolations: 0 };
            const meta = { Pods: victims.map(({ metadata }) => ({ UID: metadata.uid })), NumPDBViolations: 0 };
            const body = options.nodeCacheCapable
              ? { Pod: pod, NodeNameToVictims: null, NodeNameToMetaVictims: { [nodeName]: meta } }
              : { Pod: pod, NodeNameToVictims: { [nodeName]: whole }, NodeNameToMetaVictims: null };
            return (await call(preemptVerb, body, signal)).victims(nodeName);
          },
        }
      : {}),
    ...(bindVerb
      ? {
          async bind({ metadata: { name, namespace, uid } }, nodeName, signal) {
            await call(bindVerb, { PodName: name, PodNamespace: namespace, PodUID: uid, Node: nodeName }, signal);
          },
        }
      : {}),
  };
}

function asksFor({ spec }: Pod, resources: readonly string[]): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ resources: own }) =>
    resources.some((name) => Object.hasOwn(own?.requests ?? {}, name) || Object.hasOwn(own?.limits ?? {}, name)),
  );
}

/** What came back. Names of fields are read as Go does, whatever their case. */
class Answer {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  text(name: string): string {
    const value = field(this.#value, name);
    return typeof value === "string" ? value : "";
  }

  texts(name: string): Map<string, string> {
    const value = field(this.#value, name);
    return new Map(isObject(value) ? Object.entries(value).map(([key, text]) => [key, String(text)]) : []);
  }

  /** Of the nodes that passed, in either form; `undefined`: it says nothing of them. */
  names(): ReadonlySet<string> | undefined {
    const names = field(this.#value, "NodeNames");
    if (Array.isArray(names)) return new Set(names.map(String));
    const items = field(field(this.#value, "Nodes"), "items");
    if (!Array.isArray(items)) return undefined;
    return new Set(items.map((node) => String(field(field(node, "metadata"), "name"))));
  }

  scores(): ReadonlyMap<string, number> {
    if (!Array.isArray(this.#value)) throw new Error("want a list of hosts with scores");
    return new Map(
      this.#value.map((entry) => {
        const score = Number(field(entry, "Score") ?? 0);
        if (!Number.isFinite(score)) throw new Error("want scores that are numbers");
        return [String(field(entry, "Host")), score];
      }),
    );
  }

  victims(nodeName: string): ReadonlySet<string> | undefined {
    const nodes = field(this.#value, "NodeNameToMetaVictims");
    const own = isObject(nodes) && Object.hasOwn(nodes, nodeName) ? nodes[nodeName] : undefined;
    const pods = field(own, "Pods");
    return Array.isArray(pods) ? new Set(pods.map((pod) => String(field(pod, "UID")))) : undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function field(value: unknown, name: string): unknown {
  if (!isObject(value)) return undefined;
  const key = Object.keys(value).find((own) => own.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : value[key];
}

function post(url: string, body: object, options: HttpExtenderOptions, signal: AbortSignal): Promise<unknown> {
  const { timeoutMs = 5000, tls } = options;
  const text = JSON.stringify(body);
  const request: RequestOptions = {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    agent: false,
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls?.insecure === true ? { rejectUnauthorized: false } : {}),
  };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(new Error(`Post ${JSON.stringify(url)}: ${cause.message}`, { cause }));
    const sent = (url.startsWith("https:") ? httpsRequest : httpRequest)(url, request, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("error", fail);
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxAnswerBytes) sent.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        if (response.statusCode !== 200) {
          reject(
            new Error(
              `failed ${new URL(url).pathname.split("/").at(-1)} with extender at URL ${url}, code ${response.statusCode}`,
            ),
          );
          return;
        }
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (error) {
          fail(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    sent.on("error", fail);
    sent.end(text);
  });
}
