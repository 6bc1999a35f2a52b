import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { createProtobufCodec } from "../../../src/api/protobuf/index.js";
import type { KeyPairPem } from "../../../src/apiserver/pki/certificate-authority.js";

const protobuf = "application/vnd.kubernetes.protobuf";
const codec = createProtobufCodec();

/** As much of an answer as these tests look at. */
// biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked into by path, and a wrong path fails the test
export type Answered = any;

export interface Answer {
  readonly code: number;
  /** The media type, without parameters. */
  readonly type: string;
  readonly object: Answered;
}

export interface CallOptions {
  /** In protobuf. */
  readonly body?: { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown };
  /** In JSON, as all patches are. */
  readonly strategic?: object;
  readonly json?: object;
  readonly accept?: string;
}

export interface UpstreamEvent {
  readonly type: string;
  readonly object: Answered;
}

/**
 * What upstream's parts put on the wire, over HTTP/2: protobuf both ways, JSON where there is no other, strategic patches, and lists
 * that are streamed.
 */
export interface UpstreamClient extends AsyncDisposable {
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Resolves with the objects of a list as its first answer, when the bookmark after them has come. */
  watchList(path: string, accept?: string): Promise<WatchList>;
}

export interface WatchList extends AsyncDisposable {
  readonly initial: readonly UpstreamEvent[];
  /** Of the bookmark. */
  readonly resourceVersion: string;
  next(): Promise<UpstreamEvent>;
}

export interface UpstreamClientOptions {
  readonly url: string;
  readonly ca: string;
  readonly agent: string;
  readonly pair?: KeyPairPem;
  readonly token?: string;
}

const typedAccept = `${protobuf},application/json`;
export const metadataAccept = (as: "PartialObjectMetadata" | "PartialObjectMetadataList"): string =>
  `${protobuf};as=${as};g=meta.k8s.io;v=v1,application/json;as=${as};g=meta.k8s.io;v=v1,application/json`;

export function upstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const { url, ca, pair, token, agent } = options;
  const session = connect(url, { ca, ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.key }) });
  session.on("error", () => {});
  const headers = {
    "user-agent": `${agent}/v1.36.0 (linux/amd64) kubernetes/0123456`,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return {
    async call(method, path, { body, strategic, json, accept = typedAccept } = {}) {
      const bytes = body === undefined ? jsonBytes(strategic ?? json) : codec.encode(body);
      const contentType =
        body !== undefined
          ? protobuf
          : strategic === undefined
            ? "application/json"
            : "application/strategic-merge-patch+json";
      // Node takes it that a DELETE has no body unless it is told.
      const stream = session.request(
        {
          ":method": method,
          ":path": path,
          accept,
          ...headers,
          ...(bytes === undefined ? {} : { "content-type": contentType, "content-length": bytes.length }),
        },
        { endStream: bytes === undefined },
      );
      if (bytes !== undefined) stream.end(bytes);
      const { code, type } = await answered(stream);
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return { code, type, object: read(type, Buffer.concat(chunks)) };
    },
    watchList: (path, accept = `${protobuf};stream=watch,${typedAccept}`) =>
      watchList(session, path, { accept, ...headers }),
    async [Symbol.asyncDispose]() {
      session.destroy();
    },
  };
}

function jsonBytes(value: object | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(JSON.stringify(value));
}

function read(type: string, bytes: Buffer): Answered {
  if (type === protobuf) return codec.decode(bytes);
  return type === "application/json" ? JSON.parse(bytes.toString()) : bytes.toString();
}

function answered(stream: ClientHttp2Stream): Promise<{ readonly code: number; readonly type: string }> {
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("response", (headers) => {
      const [type = ""] = String(headers["content-type"] ?? "").split(";");
      resolve({ code: Number(headers[":status"]), type });
    });
  });
}

/** Informers of 1.36 list by watching: objects first, then a bookmark that says so, then changes. */
async function watchList(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<WatchList> {
  const query = new URLSearchParams({
    allowWatchBookmarks: "true",
    resourceVersionMatch: "NotOlderThan",
    sendInitialEvents: "true",
    timeout: "8m7s",
    timeoutSeconds: "487",
    watch: "true",
  });
  const stream = session.request({ ":path": `${path}${path.includes("?") ? "&" : "?"}${query}`, ...headers });
  const { code, type } = await answered(stream);
  if (code !== 200 || type !== protobuf) {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const status = read(type, Buffer.concat(chunks));
    throw new Error(`${code} ${type}: ${status?.message ?? status}`);
  }
  const events = frames(stream);
  const next = async (): Promise<UpstreamEvent> => {
    const { value, done } = await events.next();
    if (done) throw new Error(`the watch of ${path} has ended`);
    return value;
  };
  const initial: UpstreamEvent[] = [];
  for (;;) {
    const event = await next();
    const { annotations, resourceVersion } = event.object.metadata;
    if (event.type === "BOOKMARK" && annotations?.["k8s.io/initial-events-end"] === "true") {
      return {
        initial,
        resourceVersion,
        next,
        async [Symbol.asyncDispose]() {
          stream.close();
        },
      };
    }
    initial.push(event);
  }
}

async function* frames(stream: ClientHttp2Stream): AsyncGenerator<UpstreamEvent, void> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      yield eventOf(rest.subarray(4, 4 + rest.readUInt32BE()));
      rest = rest.subarray(4 + rest.readUInt32BE());
    }
  }
}

/** WatchEvent { type = 1; object = 2 { raw = 1 } }, read by its tags alone. */
function eventOf(frame: Buffer): UpstreamEvent {
  const typeBytes = frame[1] ?? 0;
  return {
    type: frame.toString("utf8", 2, 2 + typeBytes),
    object: codec.decode(frame.subarray(frame.indexOf("k8s\0"))),
  };
}
