import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { isStatusError, type Node, type Pod, pods } from "../api/index.js";
import type { Client } from "../client/index.js";
import { type Clock, sleep } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";

export const mirrorAnnotation = "kubernetes.io/config.mirror";
const hashAnnotation = "kubernetes.io/config.hash";
const sourceAnnotation = "kubernetes.io/config.source";
const checkMs = 5_000;
const maxFileBytes = 1024 * 1024;

export interface StaticPodsOptions {
  readonly directory: string;
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: () => Node | undefined;
  /** A static pod appeared or, with another UID, changed. */
  readonly onSet: (pod: Pod) => void;
  readonly onRemove: (pod: Pod) => void;
  /** The API's image of a static pod came, changed or went. */
  readonly onMirror: (podUid: string, mirror: Pod | undefined) => void;
}

/** Pods from files on this node, which run without an API server, and their mirrors in the API, which only show them. */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #pods = new Map<string, Pod>();
  readonly #mirrors = new Map<string, Pod>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** Reads the files for the first time. */
  load(): Promise<void> {
    return this.#read();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#read();
        for (const key of new Set([...this.#pods.keys(), ...this.#mirrors.keys()])) await this.#reconcile(key, signal);
      } catch (error) {
        if (!signal.aborted) logger.warn("static pods cannot be brought up to date", { error });
      }
      await sleep(clock, checkMs, signal);
    }
  }

  /** Whether that pod is from a file of this node. */
  has(podUid: string): boolean {
    for (const { metadata } of this.#pods.values()) if (metadata.uid === podUid) return true;
    return false;
  }

  /** A mirror pod was seen in the API. */
  setMirror(pod: Pod): void {
    const key = keyOf(pod);
    this.#mirrors.set(key, pod);
    const own = this.#pods.get(key);
    if (own !== undefined && matches(own, pod)) this.#options.onMirror(own.metadata.uid, pod);
  }

  removeMirror(pod: Pod): void {
    const key = keyOf(pod);
    if (this.#mirrors.get(key)?.metadata.uid !== pod.metadata.uid) return;
    this.#mirrors.delete(key);
    const own = this.#pods.get(key);
    if (own !== undefined) this.#options.onMirror(own.metadata.uid, undefined);
  }

  async #read(): Promise<void> {
    const { directory, logger, onSet, onRemove } = this.#options;
    const found = new Map<string, Pod>();
    for (const name of (await readdir(directory).catch(() => [])).sort()) {
      if (name.startsWith(".") || !/\.(ya?ml|json|manifest)$/.test(name)) continue;
      const text = await readFile(join(directory, name), "utf8").catch(() => "");
      try {
        for (const pod of this.#parse(text)) found.set(keyOf(pod), pod);
      } catch (error) {
        logger.warn("a static pod's file cannot be read", { file: name, error });
      }
    }
    for (const [key, pod] of this.#pods) {
      if (found.get(key)?.metadata.uid === pod.metadata.uid) continue;
      this.#pods.delete(key);
      onRemove(pod);
    }
    for (const [key, pod] of found) {
      if (this.#pods.has(key)) continue;
      this.#pods.set(key, pod);
      this.#options.onMirror(pod.metadata.uid, undefined);
      onSet(pod);
    }
  }

  #parse(text: string): Pod[] {
    if (text.length > maxFileBytes) throw new Error("the file is too large");
    return parseAllDocuments(text).flatMap((document) => {
      const given: unknown = document.toJS({ maxAliasCount: 10 });
      if (typeof given !== "object" || given === null || !("kind" in given) || given.kind !== "Pod") return [];
      return [this.#complete(given as Pod)];
    });
  }

  /** Name, UID and defaults that the API server would have given. */
  #complete(given: Pod): Pod {
    const { nodeName } = this.#options;
    const { name, namespace = "default", labels, annotations } = given.metadata;
    const hash = createHash("md5")
      .update(`${nodeName}\0${JSON.stringify(given)}`)
      .digest("hex");
    const hex = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-${hash.slice(12, 16)}-${hash.slice(16, 20)}-${hash.slice(20)}`;
    const tolerations = [...(given.spec?.tolerations ?? []), { operator: "Exists", effect: "NoExecute" }];
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${name}-${nodeName}`,
        namespace,
        uid: hex,
        resourceVersion: "0",
        creationTimestamp: new Date(this.#options.clock.now()).toISOString(),
        ...(labels === undefined ? {} : { labels }),
        annotations: { ...annotations, [hashAnnotation]: hash, [sourceAnnotation]: "file" },
      },
      spec: { restartPolicy: "Always", ...given.spec, containers: given.spec?.containers ?? [], nodeName, tolerations },
    };
  }

  /** Makes the mirror be there for a static pod, and only for one. */
  async #reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#options;
    const own = this.#pods.get(key);
    const mirror = this.#mirrors.get(key);
    if (mirror !== undefined && (own === undefined || !matches(own, mirror))) {
      const { namespace, name, uid } = mirror.metadata;
      await client
        .delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid }, signal })
        .catch(ignoreGone);
      this.#mirrors.delete(key);
    }
    const node = this.#options.node();
    if (own === undefined || this.#mirrors.has(key) || node === undefined) return;
    const { uid: _, resourceVersion: __, creationTimestamp: ___, ...metadata } = own.metadata;
    const annotations = {
      ...metadata.annotations,
      [mirrorAnnotation]: own.metadata.annotations?.[hashAnnotation] ?? "",
    };
    const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid: node.metadata.uid, controller: true };
    const made = await client
      .create<Pod>(pods, { ...own, metadata: { ...metadata, annotations, ownerReferences: [owner] } }, { signal })
      .catch(ignoreGone);
    if (made !== undefined) this.setMirror(made);
  }
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}`;
}

function matches(own: Pod, mirror: Pod): boolean {
  const hash = own.metadata.annotations?.[hashAnnotation];
  return mirror.metadata.annotations?.[mirrorAnnotation] === hash && mirror.metadata.deletionTimestamp === undefined;
}

/** Somebody was faster; the next look tells. */
function ignoreGone(error: unknown): undefined {
  if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict") || isStatusError(error, "AlreadyExists")) {
    return undefined;
  }
  throw error;
}
