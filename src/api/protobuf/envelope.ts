import { DecodeError } from "../decode/decode-error.js";
import { WireReader } from "./wire-reader.js";

/** What all protobuf of Kubernetes begins with, so that nobody takes it for something else. */
export const envelopeMagic: Buffer = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** Fields 3 and 4, contentEncoding and contentType: upstream writes them also where they are empty. */
export const envelopeTail: Buffer = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

export interface Envelope {
  /** Empty where the envelope does not say. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The message: a view of the bytes that were given. */
  readonly raw: Uint8Array;
}

/** runtime.Unknown: what a message is, and the message. Throws DecodeError. */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length === 0) throw new DecodeError("malformed", "empty data");
  if (!envelopeMagic.every((byte, index) => bytes[index] === byte)) {
    throw new DecodeError(
      "malformed",
      `provided data does not appear to be a protobuf message, expected prefix [${[...envelopeMagic].join(" ")}]`,
    );
  }
  const reader = new WireReader(bytes.subarray(envelopeMagic.length));
  let type = { apiVersion: "", kind: "" };
  let raw: Uint8Array = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      const outer = reader.enter();
      type = readType(reader);
      reader.leave(outer);
    } else if (tag === 0x12) raw = reader.bytes();
    else reader.skip(tag & 7, 0);
  }
  return { ...type, raw };
}

function readType(reader: WireReader): { apiVersion: string; kind: string } {
  let apiVersion = "";
  let kind = "";
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) apiVersion = reader.string();
    else if (tag === 0x12) kind = reader.string();
    else reader.skip(tag & 7, 0);
  }
  return { apiVersion, kind };
}
