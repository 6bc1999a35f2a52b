import type { JsonObject } from "../../api/index.js";
import { envelopeMagic, envelopeTail } from "../../api/protobuf/envelope.js";
import { ProtobufWriter } from "../openapi/protobuf-writer.js";

type Shape = "text" | "flag" | "texts" | "verbs" | { readonly one: Message } | { readonly list: Message };

/** The fields of a message by their names in JSON, in the order of their numbers. */
type Message = readonly (readonly [name: string, shape: Shape])[];

const address: Message = [
  ["clientCIDR", "text"],
  ["serverAddress", "text"],
];
const groupVersion: Message = [
  ["groupVersion", "text"],
  ["version", "text"],
];
const group: Message = [
  ["name", "text"],
  ["versions", { list: groupVersion }],
  ["preferredVersion", { one: groupVersion }],
  ["serverAddressByClientCIDRs", { list: address }],
];
const resource: Message = [
  ["name", "text"],
  ["namespaced", "flag"],
  ["kind", "text"],
  ["verbs", "verbs"],
  ["shortNames", "texts"],
  ["singularName", "text"],
  ["categories", "texts"],
  ["group", "text"],
  ["version", "text"],
  ["storageVersionHash", "text"],
];

const messages: ReadonlyMap<string, Message> = new Map<string, Message>([
  [
    "APIVersions",
    [
      ["versions", "texts"],
      ["serverAddressByClientCIDRs", { list: address }],
    ],
  ],
  ["APIGroupList", [["groups", { list: group }]]],
  ["APIGroup", group],
  [
    "APIResourceList",
    [
      ["groupVersion", "text"],
      ["resources", { list: resource }],
    ],
  ],
]);

/** A document of old, as upstream's clients read it in protobuf. Text and flags are there also where they say nothing. */
export function discoveryProtobuf(document: JsonObject): Buffer {
  const { apiVersion = "", kind = "" } = document as { apiVersion?: string; kind?: string };
  const writer = new ProtobufWriter();
  writer.message(1, () => {
    writer.string(1, apiVersion);
    writer.string(2, kind);
  });
  writer.message(2, () => write(writer, messages.get(kind) ?? [], document));
  return Buffer.concat([envelopeMagic, writer.finish(), envelopeTail]);
}

function write(writer: ProtobufWriter, message: Message, object: JsonObject): void {
  message.forEach(([name, shape], index) => {
    const number = index + 1;
    const value = object[name];
    if (shape === "text") writer.string(number, typeof value === "string" ? value : "");
    else if (shape === "flag") writer.bool(number, value === true);
    else if (shape === "texts") for (const text of listOf<string>(value)) writer.string(number, text);
    else if (shape === "verbs") {
      writer.message(number, () => {
        for (const verb of listOf<string>(value)) writer.string(1, verb);
      });
    } else if ("one" in shape) writer.message(number, () => write(writer, shape.one, (value ?? {}) as JsonObject));
    else for (const item of listOf<JsonObject>(value)) writer.message(number, () => write(writer, shape.list, item));
  });
}

function listOf<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}
