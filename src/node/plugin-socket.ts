import {
  Client,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

export type Methods = Readonly<Record<string, MethodDefinition<object, object>>>;

/** As upstream: a driver may have to wait for a disk. */
const defaultTimeoutMs = 120_000;

/** Calls of one service on a plugin's socket. */
export class PluginSocket {
  readonly #client: Client;
  readonly #methods: Methods;
  readonly #timeoutMs: number;

  constructor(path: string, methods: Methods, timeoutMs: number = defaultTimeoutMs) {
    this.#methods = methods;
    this.#timeoutMs = timeoutMs;
    this.#client = new Client(`unix://${path}`, credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  call<Answer>(name: string, request: object, signal: AbortSignal): Promise<Answer> {
    const method = this.#methods[name];
    if (method === undefined) throw new Error(`no method ${name}`);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const cancel = (): void => call.cancel();
      const done = (error: ServiceError | null, answer?: object): void => {
        signal.removeEventListener("abort", cancel);
        if (error === null) resolve(answer as Answer);
        else if (signal.aborted) reject(signal.reason);
        else reject(new Error(wordsOf(error), { cause: error }));
      };
      const limits = { deadline: Date.now() + this.#timeoutMs };
      const { path, requestSerialize, responseDeserialize } = method;
      const metadata = new Metadata();
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        limits,
        done,
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  /** What the plugin sends until it, or `signal`, ends the call. Throws with the plugin's own words. */
  async *stream<Answer>(name: string, request: object, signal: AbortSignal): AsyncGenerator<Answer> {
    const method = this.#methods[name];
    if (method === undefined) throw new Error(`no method ${name}`);
    const { path, requestSerialize, responseDeserialize } = method;
    const call: ClientReadableStream<object> = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    const cancel = (): void => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for await (const answer of call) yield answer as Answer;
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(wordsOf(error as ServiceError), { cause: error });
    } finally {
      signal.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  /** Whether somebody is there now. Where nobody is, the next call looks again. */
  connected(): boolean {
    return this.#client.getChannel().getConnectivityState(true) === connectivityState.READY;
  }

  close(): void {
    this.#client.close();
  }
}

/** As Go prints it, which is how people know it. */
function wordsOf({ code, details }: ServiceError): string {
  const names = Object.entries(status).find(([, value]) => value === code);
  const name = (names?.[0] ?? "UNKNOWN")
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
  return `rpc error: code = ${name} desc = ${details}`;
}

export function methodsOf(definition: Parameters<typeof fromJSON>[0], service: string): Methods {
  const loaded = fromJSON(definition, { longs: Number, enums: String, defaults: true, arrays: true, objects: true })[
    service
  ];
  if (loaded === undefined || "format" in loaded) throw new Error(`the definition lacks ${service}`);
  return loaded as Methods;
}
