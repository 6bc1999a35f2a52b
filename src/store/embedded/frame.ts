import { crc32 } from "node:zlib";

/**
 * What the journal's files consist of. A frame is: length of the body (u32), CRC-32 of the body (u32), body; a body is:
 * kind (u8), four doubles, length of the key (u32), key, value; all little-endian.
 */
export type Frame = { readonly kind: FrameKind; readonly fields: FrameFields } & FrameContent;

/** Kinds of frames and what their fields a, b and c are. */
export const frameKinds = {
  /** revision, createRevision, lease (0: none); key and value. */
  put: 1,
  /** revision; key. */
  delete: 2,
  /** revision, compactRevision, last lease given out. */
  state: 3,
  /** lease, time to live in seconds. */
  grant: 4,
  /** lease. */
  revoke: 5,
} as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface FrameFields {
  /** Everything up to this revision was durable when the frame was made. */
  readonly durable: number;
  readonly a: number;
  readonly b?: number;
  readonly c?: number;
}

interface FrameContent {
  readonly key: string;
  /** Where the value begins, counted from the frame's first byte. */
  readonly valueOffset: number;
  readonly valueLength: number;
  /** Of the whole frame. */
  readonly length: number;
}

export const fileHeader: Buffer = Buffer.from("coxswain journal 1\n");

const prefixLength = 8;
const fixedLength = 1 + 4 * 8 + 4;
const emptyBytes = Buffer.alloc(0);

/** The frame's bytes in two pieces: the head, and the value as it was handed in. */
export function encodeFrame(
  kind: FrameKind,
  fields: FrameFields,
  key = "",
  value: Buffer = emptyBytes,
): readonly [head: Buffer, value: Buffer] {
  const keyLength = Buffer.byteLength(key);
  const head = Buffer.allocUnsafe(prefixLength + fixedLength + keyLength);
  head.writeUInt32LE(fixedLength + keyLength + value.length, 0);
  head.writeUInt8(kind, 8);
  head.writeDoubleLE(fields.durable, 9);
  head.writeDoubleLE(fields.a, 17);
  head.writeDoubleLE(fields.b ?? 0, 25);
  head.writeDoubleLE(fields.c ?? 0, 33);
  head.writeUInt32LE(keyLength, 41);
  head.write(key, 45);
  const headSum = crc32(head.subarray(prefixLength));
  head.writeUInt32LE(value.length === 0 ? headSum : crc32(value, headSum), 4);
  return [head, value];
}

/** The frame that begins at `offset`; undefined when the bytes there are no whole, sound frame. */
export function decodeFrame(bytes: Buffer, offset: number): Frame | undefined {
  if (offset + prefixLength + fixedLength > bytes.length) return undefined;
  const bodyLength = bytes.readUInt32LE(offset);
  const length = prefixLength + bodyLength;
  if (bodyLength < fixedLength || offset + length > bytes.length) return undefined;
  const keyLength = bytes.readUInt32LE(offset + 41);
  if (fixedLength + keyLength > bodyLength) return undefined;
  const body = bytes.subarray(offset + prefixLength, offset + length);
  if (crc32(body) !== bytes.readUInt32LE(offset + 4)) return undefined;
  const kind = bytes.readUInt8(offset + 8);
  if (!isFrameKind(kind)) return undefined;
  const valueOffset = prefixLength + fixedLength + keyLength;
  return {
    kind,
    fields: {
      durable: bytes.readDoubleLE(offset + 9),
      a: bytes.readDoubleLE(offset + 17),
      b: bytes.readDoubleLE(offset + 25),
      c: bytes.readDoubleLE(offset + 33),
    },
    key: bytes.toString("utf8", offset + 45, offset + 45 + keyLength),
    valueOffset,
    valueLength: length - valueOffset,
    length,
  };
}

function isFrameKind(kind: number): kind is FrameKind {
  return kind >= frameKinds.put && kind <= frameKinds.revoke;
}
