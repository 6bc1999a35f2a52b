import { setTimeout as wait } from "node:timers/promises";
import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import { RuntimeError } from "../errors.js";
import { definition } from "./definition.js";
import { isNotServing, runtimeError } from "./errors.js";
import type { CriAnswers, CriEvent } from "./messages.js";

export interface CriCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Undefined: the default of two minutes. */
  readonly timeoutMs?: number | undefined;
}

type Method = MethodDefinition<object, object>;

/** As upstream's --runtime-request-timeout. */
const defaultTimeoutMs = 120_000;
/** ExecSync gives up to 16 MiB of each stream. */
const maxMessageBytes = 64 * 1024 * 1024;

/** How long a call waits for a runtime that cannot be reached, or is not ready to serve. */
const reconnectLimitMs = 1000;
const retryMs = 20;

const imageMethods: ReadonlySet<string> = new Set([
  "ListImages",
  "ImageStatus",
  "PullImage",
  "RemoveImage",
  "ImageFsInfo",
]);

/** Calls of the runtime over its socket. It connects by itself, at the first call and again whenever the connection was lost. */
export class CriChannel {
  readonly #client: Client;
  readonly #methods: Readonly<Record<string, Method>>;

  constructor(address: string) {
    this.#methods = loadMethods();
    this.#client = new Client(address, credentials.createInsecure(), {
      // Of a socket's path there is no legal host.
      "grpc.default_authority": "localhost",
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Fails with RuntimeError, or with the reason of `signal`. */
  async call<Name extends keyof CriAnswers>(
    name: Name,
    request: object,
    options: CriCallOptions = {},
  ): Promise<CriAnswers[Name]> {
    const giveUpAt = performance.now() + reconnectLimitMs;
    while (true) {
      try {
        return await this.#send(name, request, options);
      } catch (error) {
        if (!isNotServing(error) || performance.now() > giveUpAt) throw error;
      }
      await wait(retryMs);
      await this.#connected(giveUpAt - performance.now());
    }
  }

  #send<Name extends keyof CriAnswers>(
    name: Name,
    request: object,
    { signal, timeoutMs = defaultTimeoutMs }: CriCallOptions,
  ): Promise<CriAnswers[Name]> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const limits = Number.isFinite(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
      const done = (error: ServiceError | null, answer?: object): void => {
        signal?.removeEventListener("abort", cancel);
        if (error === null) resolve(answer as CriAnswers[Name]);
        else if (signal?.aborted) reject(signal.reason);
        else reject(runtimeError(error));
      };
      const metadata = new Metadata();
      const client = this.#client;
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        limits,
        done,
      );
      const cancel = (): void => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Resolves with a connection, or without one after `limitMs`. */
  #connected(limitMs: number): Promise<void> {
    return new Promise((resolve) => this.#client.waitForReady(Date.now() + limitMs, () => resolve()));
  }

  /** The events from now on, until `signal` aborts. */
  async *events(signal: AbortSignal): AsyncGenerator<CriEvent> {
    if (signal.aborted) return;
    const { path, requestSerialize, responseDeserialize } = this.#method("GetContainerEvents");
    const stream = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
    const cancel = (): void => stream.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const event of stream) yield event as CriEvent;
    } catch (error) {
      if (signal.aborted || isCancelled(error)) return;
      throw isServiceError(error) ? runtimeError(error) : error;
    } finally {
      signal.removeEventListener("abort", cancel);
      stream.cancel();
    }
    if (!signal.aborted) throw new RuntimeError("unavailable", "the runtime ended its events");
  }

  close(): void {
    this.#client.close();
  }

  #method(name: string): Method {
    const service = imageMethods.has(name) ? "ImageService" : "RuntimeService";
    const method = this.#methods[`${service}/${name}`];
    if (method === undefined) throw new RuntimeError("unimplemented", `no method ${name}`);
    return method;
  }
}

function loadMethods(): Readonly<Record<string, Method>> {
  const loaded = fromJSON(definition(), { longs: Number, enums: String, defaults: true, arrays: true, objects: true });
  const methods: Record<string, Method> = {};
  for (const service of ["RuntimeService", "ImageService"]) {
    const made = loaded[`runtime.v1.${service}`];
    if (made === undefined || "format" in made) throw new Error(`the definition lacks ${service}`);
    for (const [name, method] of Object.entries(made)) methods[`${service}/${name}`] = method;
  }
  return methods;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}

function isCancelled(error: unknown): boolean {
  return isServiceError(error) && error.code === status.CANCELLED;
}
