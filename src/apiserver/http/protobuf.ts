import { apiVersionOf, DecodeError, type ResourceDescription } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import type { ExpectedKind, ProtobufCodec } from "../../api/protobuf/index.js";
import type { StoredEvent, StoredObject } from "../request.js";
import type { Exchange } from "./exchange.js";
import { mediaTypeOf, protobufType } from "./negotiate.js";
import { FrameJoiner } from "./watch-stream.js";
import { headerOf } from "./wire.js";

/** Bytes of encoded objects that are kept for the next list. */
const keptBytes = 32 * 1024 * 1024;

/** Objects as protobuf, each encoded once while it is in use. One per server. */
export class ProtobufObjects {
  readonly codec: ProtobufCodec;
  readonly joiner: FrameJoiner = new FrameJoiner((event) => this.frame(event));
  readonly #limitBytes: number;
  readonly #items = new Map<StoredObject, Buffer>();
  readonly #frames = new WeakMap<StoredEvent, Buffer>();
  #bytes = 0;

  constructor(codec: ProtobufCodec, limitBytes: number = keptBytes) {
    this.codec = codec;
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Whether `item` gives it without work. */
  has(stored: StoredObject): boolean {
    return this.#items.has(stored);
  }

  /** An object as it stands in a list. Kept within a bound, least recently used out first. */
  item(stored: StoredObject): Buffer {
    let item = this.#items.get(stored);
    if (item === undefined) {
      item = this.codec.encodeItem(stored.object);
      this.#bytes += item.length;
    } else this.#items.delete(stored);
    this.#items.set(stored, item);
    if (this.#bytes > this.#limitBytes) this.#evict();
    return item;
  }

  #evict(): void {
    for (const [oldest, bytes] of this.#items) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#items.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  /** An object by itself; undefined for what has no protobuf form. */
  tryEncode(object: unknown): Buffer | undefined {
    return isNamed(object) && this.codec.supports(object.apiVersion, object.kind)
      ? this.codec.encode(object)
      : undefined;
  }

  /** A watch event with an object of its own. */
  encodeFrame(type: string, object: unknown): Buffer {
    const bytes = this.tryEncode(object);
    if (bytes === undefined) throw new TypeError("an event's object has no protobuf form");
    return this.codec.frame(type, bytes);
  }

  /** A watch event as it goes over the wire, for all watchers the same bytes. */
  frame(event: StoredEvent): Buffer {
    let frame = this.#frames.get(event);
    if (frame === undefined) {
      frame = this.codec.frame(event.type, this.codec.encode(event.stored.object));
      this.#frames.set(event, frame);
    }
    return frame;
  }
}

function isNamed(object: unknown): object is ExpectedKind {
  return isJsonObject(object) && typeof object["apiVersion"] === "string" && typeof object["kind"] === "string";
}

/** What protobuf is to one request. */
export interface RequestProtobuf {
  readonly objects: ProtobufObjects;
  /** Whether the resource itself has a protobuf form; metadata, options and Status always have. */
  readonly resource: boolean;
  /** What a body is when it does not say. */
  readonly expected: ExpectedKind;
}

/** Loads the codec when the first request needs it: most programs that embed a server never do. */
export class ProtobufLoader {
  #objects: ProtobufObjects | undefined;
  #loading: Promise<ProtobufObjects> | undefined;

  /** Undefined where neither the body nor the answer is protobuf. */
  forRequest(
    exchange: Exchange,
    description: ResourceDescription,
    subresource: string | undefined,
  ): RequestProtobuf | undefined | Promise<RequestProtobuf> {
    const { headers } = exchange.request;
    const accepts = headerOf(headers, "accept")?.includes(protobufType);
    if (!accepts && mediaTypeOf(headerOf(headers, "content-type") ?? "") !== protobufType) return undefined;
    const known = this.#objects;
    if (known !== undefined) return requestProtobuf(known, description, subresource);
    this.#loading ??= load();
    return this.#loading.then((objects) => {
      this.#objects = objects;
      return requestProtobuf(objects, description, subresource);
    });
  }
}

async function load(): Promise<ProtobufObjects> {
  const { createProtobufCodec } = await import("../../api/protobuf/index.js");
  return new ProtobufObjects(createProtobufCodec());
}

function requestProtobuf(
  objects: ProtobufObjects,
  description: ResourceDescription,
  subresource: string | undefined,
): RequestProtobuf {
  const resource = objects.codec.supports(apiVersionOf(description), description.kind);
  const own = subresource === undefined ? undefined : description.subresources.get(subresource);
  const { kind } = own ?? description;
  return { objects, resource, expected: { apiVersion: apiVersionOf(own ?? description), kind } };
}

/** Throws StatusError 400. */
export function decodeProtobuf(codec: ProtobufCodec, bytes: Uint8Array, expected: ExpectedKind): unknown {
  try {
    return codec.decode(bytes, expected);
  } catch (error) {
    throw error instanceof DecodeError ? error.toStatusError() : error;
  }
}
