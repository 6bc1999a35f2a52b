import { type APIService, apiServices } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";

/** An APIService whose group-version is served by a Service of the cluster. */
export interface RemoteService {
  /** Of the APIService: `v1beta1.metrics.k8s.io`. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  /** The authority of its serving certificate (PEM). Absent: those that the system trusts. */
  readonly authority: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  /** What the last check said. */
  readonly available: boolean;
  readonly groupPriority: number;
  readonly versionPriority: number;
}

/** The APIServices that lead to other servers, as the watch cache has them at each call. */
export class RemoteServices {
  readonly #cache: CacheReader;
  #generation = -1;
  #byVersion: ReadonlyMap<string, RemoteService> = new Map();

  constructor(cache: CacheReader) {
    this.#cache = cache;
  }

  /** Changes whenever any APIService does. */
  get generation(): number {
    return this.#cache.generation(apiServices);
  }

  find(group: string, version: string): RemoteService | undefined {
    const all = this.#current();
    return all.size === 0 ? undefined : all.get(`${group}/${version}`);
  }

  all(): readonly RemoteService[] {
    return [...this.#current().values()];
  }

  byName(name: string): RemoteService | undefined {
    const object = this.#cache.get(apiServices, { name });
    return object && remoteServiceOf(object);
  }

  #current(): ReadonlyMap<string, RemoteService> {
    const { generation } = this;
    if (generation === this.#generation) return this.#byVersion;
    const found = this.#cache.list(apiServices).flatMap((object) => remoteServiceOf(object) ?? []);
    this.#byVersion = new Map(found.map((remote) => [`${remote.group}/${remote.version}`, remote]));
    this.#generation = generation;
    return this.#byVersion;
  }
}

/** undefined: served by this server. The core group always is. */
export function remoteServiceOf({ metadata, spec, status }: APIService): RemoteService | undefined {
  const { group = "", version = "", service, caBundle } = spec ?? {};
  if (service === undefined || group === "") return undefined;
  const { namespace = "", name = "", port = 443 } = service;
  return {
    name: metadata.name ?? "",
    group,
    version,
    service: { namespace, name, port },
    authority: caBundle ? Buffer.from(caBundle, "base64").toString("utf8") : undefined,
    insecureSkipTlsVerify: spec?.insecureSkipTLSVerify === true,
    available: status?.conditions?.some((one) => one.type === "Available" && one.status === "True") === true,
    groupPriority: spec?.groupPriorityMinimum ?? 0,
    versionPriority: spec?.versionPriority ?? 0,
  };
}
