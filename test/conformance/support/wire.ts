import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { Agent, request } from "node:https";
import type { Readable } from "node:stream";
import type { JsonObject } from "../../../src/api/index.js";

export interface WireOptions {
  readonly url: string;
  /** PEM, as the rest. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface WireCall {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Come without a client certificate. */
  readonly anonymous?: boolean;
}

/** A whole answer. */
export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** Throws when the body is no JSON object. */
  json(): JsonObject;
}

/** Bare requests, for what only shows on the wire. Paths go out as they are. */
export class Wire {
  readonly options: WireOptions;
  readonly #agent: Agent;
  readonly #anonymous: Agent;
  #session: ClientHttp2Session | undefined;

  constructor(options: WireOptions) {
    this.options = options;
    const { ca, certificate: cert, key } = options;
    this.#agent = new Agent({ ca, cert, key, keepAlive: true });
    this.#anonymous = new Agent({ ca, keepAlive: true });
  }

  /** HTTP/1.1. */
  async send(path: string, call: WireCall = {}): Promise<Answer> {
    const { code, headers, stream } = await this.open(path, call);
    return answerOf(code, headers, stream);
  }

  /** The same, with the body as it comes. Whoever asks destroys the stream. */
  open(path: string, call: WireCall = {}): Promise<{ code: number; headers: IncomingHttpHeaders; stream: Readable }> {
    const { method = "GET", body, anonymous = false } = call;
    const { hostname, port } = new URL(this.options.url);
    const sized = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    const headers = { ...sized, ...call.headers };
    const agent = anonymous ? this.#anonymous : this.#agent;
    return new Promise((resolve, reject) => {
      const sent = request({ hostname, port, agent, method, path, headers }, (response) => {
        resolve({ code: response.statusCode ?? 0, headers: response.headers, stream: response });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  /** HTTP/2, all on one connection. */
  send2(path: string, call: WireCall = {}): Promise<Answer> {
    const { method = "GET", body } = call;
    const stream = this.session().request({ ":path": path, ":method": method, ...call.headers }, { endStream: false });
    return new Promise((resolve, reject) => {
      stream.on("response", (headers) => {
        answerOf(Number(headers[":status"]), headers, stream).then(resolve, reject);
      });
      stream.on("error", reject);
      stream.end(body);
    });
  }

  session(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) this.#session = this.connect();
    return this.#session;
  }

  /** A connection of its own. */
  connect(): ClientHttp2Session {
    const { url, ca, certificate: cert, key } = this.options;
    const session = connect(url, { ca, cert, key });
    session.on("error", () => {});
    return session;
  }

  close(): void {
    this.#agent.destroy();
    this.#anonymous.destroy();
    this.#session?.destroy();
  }
}

async function answerOf(code: number, headers: IncomingHttpHeaders, stream: Readable): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return { code, headers, body, text: body.toString(), json: () => JSON.parse(body.toString()) as JsonObject };
}
