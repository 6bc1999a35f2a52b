import { afterAll, beforeAll, describe } from "vitest";
import {
  type ApiRequest,
  isStatusError,
  type JsonObject,
  type RequestOptions,
  type Status,
  type Transport,
  type WatchEvent,
} from "../../../src/api/index.js";
import { HttpTransport } from "../../../src/client/index.js";
import { type Cluster, type ClusterOptions, startCluster } from "../../../src/cluster/index.js";
import { MemoryStore } from "../../../src/store/index.js";
import { Wire } from "./wire.js";

/** The cluster administrator, on either way in. */
const admin = { username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };
const agent = "conformance";

/** One control plane without controllers, and the two ways into it. Its parts may be used inside of tests and hooks only. */
export interface ControlPlane {
  readonly cluster: Cluster;
  readonly store: MemoryStore;
  readonly wire: Wire;
  readonly inProcess: Transport;
  readonly https: Transport;
}

/**
 * Starts a control plane for the tests of a file, or of the `describe` around, and stops it after them. `prepare` is given its store
 * before anybody reads it.
 */
export function useControlPlane(
  options: Partial<ClusterOptions> & { readonly prepare?: (store: MemoryStore) => Promise<void> } = {},
): ControlPlane {
  let running: (ControlPlane & { readonly https: HttpTransport }) | undefined;
  const now = (): ControlPlane => {
    if (running === undefined) throw new Error("the control plane runs in tests and hooks only");
    return running;
  };
  beforeAll(async () => {
    const store = new MemoryStore();
    const { prepare, ...more } = options;
    await prepare?.(store);
    // Flow control writes the status of FlowSchemas, and the tests want objects to themselves.
    const alone = { controllers: [], scheduler: false, priorityAndFairness: false } as const;
    const cluster = await startCluster({ store, ...alone, ...more });
    const { ca, admin: credentials } = cluster.pki;
    const https = new HttpTransport({
      server: cluster.url,
      ca: ca.certificate,
      clientCertificate: credentials.certificate,
      clientKey: credentials.key,
      userAgent: agent,
      maxRetries: 0,
    });
    const wire = new Wire({ url: cluster.url, ca: ca.certificate, ...credentials });
    running = { cluster, store, wire, https, inProcess: cluster.api.transport(admin, agent) };
  });
  afterAll(async () => {
    running?.wire.close();
    await running?.https[Symbol.asyncDispose]();
    await running?.cluster.stop();
    await running?.store[Symbol.asyncDispose]();
  });
  return {
    get cluster() {
      return now().cluster;
    },
    get store() {
      return now().store;
    },
    get wire() {
      return now().wire;
    },
    get inProcess() {
      return now().inProcess;
    },
    get https() {
      return now().https;
    },
  };
}

/** A resource by its path: `api/v1/pods`, `apis/apps/v1/deployments`. */
export type ResourcePath = `api/${string}/${string}` | `apis/${string}/${string}/${string}`;

/** Where a call goes, beside the resource. */
export type Call = Pick<ApiRequest, "namespace" | "name" | "subresource" | "patchType" | "signal"> & {
  readonly options?: RequestOptions;
};

/** A way into the API with few words. What it throws is StatusError; `failure` gives the Status itself. */
export class Api {
  readonly #transport: () => Transport;
  static #namespaces = 0;

  constructor(transport: () => Transport) {
    this.#transport = transport;
  }

  async call(verb: ApiRequest["verb"], path: ResourcePath, call: Call & { body?: unknown } = {}): Promise<JsonObject> {
    const answer = await this.#transport().request({ ...resourceAt(path), verb, ...call });
    return answer as unknown as JsonObject;
  }

  /** Events one by one. The iteration ends when the watch ends, and throws what the server said in an ERROR event. */
  async *watch(path: ResourcePath, call: Call = {}): AsyncGenerator<WatchEvent> {
    for await (const batch of this.#transport().watch({ ...resourceAt(path), verb: "watch", ...call })) yield* batch;
  }

  /** Creates an object where its metadata says. */
  create(path: ResourcePath, object: object, call: Call = {}): Promise<JsonObject> {
    const { namespace } = (object as { metadata?: { namespace?: string } }).metadata ?? {};
    return this.call("create", path, { namespace, ...call, body: object });
  }

  /** Makes a namespace that no other test has, and gives its name. */
  async namespace(): Promise<string> {
    const name = `conformance-${++Api.#namespaces}`;
    await this.create("api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    return name;
  }
}

function resourceAt(path: ResourcePath): Pick<ApiRequest, "group" | "version" | "resource"> {
  const [, ...rest] = path.split("/");
  const [resource = "", version = "", group = ""] = rest.reverse();
  return { group, version, resource };
}

/** Describes a behaviour that is the same in this process and over HTTPS: each test runs once for each way. */
export function describeApi(title: string, controlPlane: ControlPlane, body: (api: Api) => void): void {
  describe.each([
    { way: "in process", api: new Api(() => controlPlane.inProcess) },
    { way: "over HTTPS", api: new Api(() => controlPlane.https) },
  ])(`${title} ($way)`, ({ api }) => body(api));
}

/** The Status that an attempt fails with. An attempt that succeeds, or fails otherwise, is an error. */
export async function failure(attempt: Promise<unknown>): Promise<Status> {
  const error = await attempt.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (isStatusError(error)) return error.status;
  throw error;
}
