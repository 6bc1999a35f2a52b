import { DecodeError } from "../decode/decode-error.js";
import { messages } from "../gen/protobuf.js";
import { isJsonObject, type MutableJsonObject } from "../json-value.js";
import { readMessage } from "./decode.js";
import { writeMessage } from "./encode.js";
import { envelopeMagic, envelopeTail, readEnvelope } from "./envelope.js";
import { packagesByVersion } from "./kinds.js";
import { MessageTable, type MessageType } from "./message.js";
import { WireReader } from "./wire-reader.js";
import { WireWriter } from "./wire-writer.js";

/** What a body is taken for when its envelope does not say. */
export interface ExpectedKind {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * The protobuf form of the built-in kinds, byte for byte as upstream's clients read and write it. Holds scratch memory: one codec for
 * each thread of work, shared by all its requests.
 */
export interface ProtobufCodec {
  /** Whether objects of the kind have a protobuf form; custom resources have none. */
  supports(apiVersion: string, kind: string): boolean;
  /** An object with its envelope. Throws TypeError for a kind without a protobuf form, and for values of wrong types. */
  encode(object: { readonly apiVersion: string; readonly kind: string }): Buffer;
  /** An object as it stands in a list, with the bytes that say so. Throws like `encode`. */
  encodeItem(object: { readonly apiVersion: string; readonly kind: string }): Buffer;
  /** A watch event with its length before it: `event` is ADDED ..., `object` what `encode` gave. */
  frame(event: string, object: Buffer): Buffer;
  /** The bytes before all items of a list, which together are `itemsBytes`. */
  listHead(list: ExpectedKind & { readonly metadata: object }, itemsBytes: number): Buffer;
  /** The bytes after all items of a list. */
  readonly listTail: Buffer;
  /**
   * A body to the object that its JSON would be. Throws DecodeError for what is malformed, and for kinds that nobody knows.
   * The object is the caller's.
   */
  decode(bytes: Uint8Array, expected?: ExpectedKind): MutableJsonObject;
}

/** Kinds that clients send and get at every group's version. */
const metaKinds: ReadonlyMap<string, string> = new Map([
  ["DeleteOptions", "meta.v1.DeleteOptions"],
  ["Status", "meta.v1.Status"],
]);

export function createProtobufCodec(): ProtobufCodec {
  return new Codec();
}

class Codec implements ProtobufCodec {
  readonly listTail = envelopeTail;
  readonly #table = new MessageTable(messages);
  readonly #packages = packagesByVersion();
  readonly #writer = new WireWriter();

  supports(apiVersion: string, kind: string): boolean {
    return this.#find(apiVersion, kind) !== undefined;
  }

  encode(object: ExpectedKind): Buffer {
    return this.#write((writer) => {
      writer.bytes(envelopeTail);
      this.#writeObject(object);
      this.#writeStart(object, writer.length - envelopeTail.length);
    });
  }

  encodeItem(object: ExpectedKind): Buffer {
    return this.#write((writer) => {
      this.#writeObject(object);
      writer.prefix(2, 0);
    });
  }

  frame(event: string, object: Buffer): Buffer {
    return this.#write((writer) => {
      writer.bytes(object);
      writer.prefix(1, 0);
      writer.prefix(2, 0);
      this.#writeText(1, event);
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32BE(writer.length);
      writer.bytes(length);
    });
  }

  listHead(list: ExpectedKind & { readonly metadata: object }, itemsBytes: number): Buffer {
    const type = this.#table.get("meta.v1.ListMeta");
    if (type === undefined) throw new Error("the protobuf table has no ListMeta");
    return this.#write((writer) => {
      writeMessage(writer, type, { ...list.metadata });
      writer.prefix(1, 0);
      this.#writeStart(list, writer.length + itemsBytes);
    });
  }

  decode(bytes: Uint8Array, expected?: ExpectedKind): MutableJsonObject {
    const { apiVersion, kind, raw } = readEnvelope(bytes);
    const named = { apiVersion: apiVersion || (expected?.apiVersion ?? ""), kind: kind || (expected?.kind ?? "") };
    const type = this.#find(named.apiVersion, named.kind);
    if (type === undefined) {
      const [shownKind, shownVersion] = [JSON.stringify(named.kind), JSON.stringify(named.apiVersion)];
      throw new DecodeError("malformed", `no kind ${shownKind} is registered for version ${shownVersion}`);
    }
    const object: MutableJsonObject = { ...named };
    readMessage(new WireReader(raw), type, object);
    return object;
  }

  #find(apiVersion: string, kind: string): MessageType | undefined {
    const meta = metaKinds.get(kind);
    if (meta !== undefined) return this.#table.get(meta);
    const type = this.#table.get(`${this.#packages.get(apiVersion) ?? ""}.${kind}`);
    return type?.isKind ? type : undefined;
  }

  #writeObject(object: ExpectedKind): void {
    const type = this.#find(object.apiVersion, object.kind);
    if (type === undefined) throw new TypeError(`${object.apiVersion} ${object.kind} has no protobuf form`);
    if (!isJsonObject(object)) throw new TypeError("an object was to be encoded");
    writeMessage(this.#writer, type, object);
  }

  /** The beginning of an envelope, before an object of that length. */
  #writeStart({ apiVersion, kind }: ExpectedKind, lengthBytes: number): void {
    const writer = this.#writer;
    writer.varint(lengthBytes);
    writer.tag(2, 2);
    const end = writer.length;
    this.#writeText(2, kind);
    this.#writeText(1, apiVersion);
    writer.prefix(1, end);
    writer.bytes(envelopeMagic);
  }

  #writeText(number: number, text: string): void {
    const end = this.#writer.length;
    this.#writer.text(text);
    this.#writer.prefix(number, end);
  }

  #write(write: (writer: WireWriter) => void): Buffer {
    try {
      write(this.#writer);
      return this.#writer.take();
    } finally {
      this.#writer.reset();
    }
  }
}
