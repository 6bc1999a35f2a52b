import {
  type CallOptionsFactory,
  Etcd3,
  type IEvent,
  type IKeyValue,
  type IOptions,
  type IRangeResponse,
  type IWatchResponse,
} from "etcd3";
import { StoreError } from "../errors.js";
import { toStoreError } from "./errors.js";
import type {
  EtcdEvent,
  EtcdKeyValue,
  EtcdRange,
  EtcdRangeResult,
  EtcdTransport,
  EtcdWatchResponse,
  EtcdWrite,
  EtcdWriteResult,
} from "./transport.js";

export interface EtcdConnectionOptions {
  /** For example "http://127.0.0.1:2379"; all http or all https. */
  readonly endpoints: readonly string[];
  /** PEM, for https: the authority that signed the servers' certificates, and our own certificate and key. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
  /** After this a call is given up. Default: 10,000. */
  readonly requestTimeoutMs?: number;
}

type FaultHandling = NonNullable<IOptions["faultHandling"]>;
type Policy = NonNullable<FaultHandling["global"]>;

const firstKey = Buffer.from([0]);

/** etcd through the etcd3 package: its connections, authentication and typed calls, without its retries and watcher. */
export class Etcd3Transport implements EtcdTransport {
  readonly #client: Etcd3;

  constructor({ endpoints, tls, auth, requestTimeoutMs = 10_000 }: EtcdConnectionOptions) {
    const callOptions: CallOptionsFactory = ({ isStream }) =>
      isStream ? {} : { deadline: Date.now() + requestTimeoutMs };
    this.#client = new Etcd3({
      hosts: [...endpoints],
      ...(tls === undefined ? {} : { credentials: toCredentials(tls) }),
      ...(auth === undefined ? {} : { auth: { ...auth, callOptions } }),
      defaultCallOptions: callOptions,
      grpcOptions: {
        "grpc.max_receive_message_length": -1,
        "grpc.max_send_message_length": -1,
        "grpc.initial_reconnect_backoff_ms": 20,
        "grpc.min_reconnect_backoff_ms": 20,
        "grpc.max_reconnect_backoff_ms": 100,
        // Notices a peer that is gone without a word; etcd allows one ping in five seconds.
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 5_000,
      },
      faultHandling: { global: passThrough((error) => error), host: () => passThrough(toStoreError) },
    });
  }

  async range({ key, end, revision = 0, limit = 0, countOnly = false }: EtcdRange): Promise<EtcdRangeResult> {
    const response = await this.#call(() =>
      this.#client.kv.range({
        key,
        ...(end === undefined ? {} : { range_end: end }),
        revision: String(revision),
        limit: String(limit),
        count_only: countOnly,
      }),
    );
    return toRangeResult(response);
  }

  async write({ key, expectedRevision, put }: EtcdWrite): Promise<EtcdWriteResult> {
    const compare =
      expectedRevision === 0
        ? ({ key, target: "Create", result: "Equal", create_revision: "0" } as const)
        : ({ key, target: "Mod", result: "Equal", mod_revision: String(expectedRevision) } as const);
    const success =
      put === undefined
        ? [{ request_delete_range: { key } }]
        : [{ request_put: { key, value: put.value, lease: put.lease ?? "0" } }, keyOnly(key)];
    const response = await this.#call(() =>
      this.#client.kv.txn({ compare: [compare], success, failure: [{ request_range: { key } }] }),
    );
    const found = response.responses.find((part) => part.response_range)?.response_range.kvs[0];
    return {
      succeeded: response.succeeded,
      revision: Number(response.header.revision),
      current: found === undefined ? undefined : toKeyValue(found),
    };
  }

  async compact(revision: number): Promise<void> {
    await this.#call(() => this.#client.kv.compact({ revision: String(revision) }));
  }

  async grantLease(ttlSeconds: number): Promise<{ readonly id: string; readonly ttlSeconds: number }> {
    const { ID, TTL } = await this.#call(() => this.#client.leaseClient.leaseGrant({ TTL: String(ttlSeconds) }));
    return { id: ID, ttlSeconds: Number(TTL) };
  }

  async keepLeaseAlive(id: string): Promise<void> {
    const stream = await this.#call(() => this.#client.leaseClient.leaseKeepAlive());
    try {
      const response = await this.#call(
        () =>
          new Promise<{ TTL: string }>((resolve, reject) => {
            stream.on("data", resolve);
            stream.on("error", reject);
            stream.on("end", () => reject(new Error("the stream ended without an answer")));
            stream.write({ ID: id });
          }),
      );
      if (Number(response.TTL) <= 0) throw new StoreError("no-lease", `lease ${id} does not exist`);
    } finally {
      stream.end();
    }
  }

  async revokeLease(id: string): Promise<void> {
    await this.#call(() => this.#client.leaseClient.leaseRevoke({ ID: id }));
  }

  async *watch(startRevision: number, signal: AbortSignal): AsyncGenerator<EtcdWatchResponse> {
    const stream = await this.#call(() => this.#client.watchClient.watch());
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      stream.write({
        create_request: { key: firstKey, range_end: firstKey, start_revision: String(startRevision), prev_kv: true },
      });
      for await (const response of responsesOf(stream)) {
        if (response.canceled && Number(response.compact_revision) === 0) {
          throw new StoreError("unavailable", `etcd cancelled the watch: ${response.cancel_reason}`);
        }
        yield { events: response.events.map(toEvent), compactRevision: Number(response.compact_revision) };
      }
    } catch (error) {
      if (!signal.aborted) throw toStoreError(error);
    } finally {
      signal.removeEventListener("abort", cancel);
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

/**
 * A policy that only translates errors. etcd3's own repeat calls, writes too, and cut off a host for everybody; and on
 * errors that it takes for recoverable the pool closes the connection under all other calls. Translated, it does not.
 */
function passThrough(translate: (error: unknown) => unknown): Policy {
  const never = new AbortController().signal;
  const noEvent = (): { dispose(): void } => ({ dispose: () => {} });
  return {
    _altReturn: undefined as never,
    onSuccess: noEvent,
    onFailure: noEvent,
    execute: async (work) => {
      try {
        return await work({ signal: never });
      } catch (error) {
        throw translate(error);
      }
    },
  };
}

/** The stream is a Readable, which its type keeps to itself: reading it so lets a slow reader slow down the server. */
function responsesOf(stream: unknown): AsyncIterable<IWatchResponse> {
  return stream as AsyncIterable<IWatchResponse>;
}

function toCredentials({
  ca,
  cert,
  key,
}: NonNullable<EtcdConnectionOptions["tls"]>): NonNullable<IOptions["credentials"]> {
  return {
    rootCertificate: ca,
    ...(cert === undefined ? {} : { certChain: cert }),
    ...(key === undefined ? {} : { privateKey: key }),
  };
}

function keyOnly(key: Buffer): { request_range: { key: Buffer; keys_only: boolean } } {
  return { request_range: { key, keys_only: true } };
}

function toRangeResult({ header, kvs, more, count }: IRangeResponse): EtcdRangeResult {
  return { revision: Number(header.revision), entries: kvs.map(toKeyValue), more, count: Number(count) };
}

function toKeyValue({ key, value, create_revision, mod_revision }: IKeyValue): EtcdKeyValue {
  return { key, value, createRevision: Number(create_revision), modRevision: Number(mod_revision) };
}

function toEvent({ type, kv, prev_kv }: IEvent): EtcdEvent {
  // What is not there comes as null.
  const previous = prev_kv as IKeyValue | null;
  return {
    deleted: String(type).toUpperCase() === "DELETE",
    entry: toKeyValue(kv),
    previous: previous === null ? undefined : toKeyValue(previous),
  };
}
