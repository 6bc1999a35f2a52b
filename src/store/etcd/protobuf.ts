/** Writes the fields of one protobuf message; what is zero or empty is left out, as proto3 has it. */
export class MessageWriter {
  readonly #parts: Buffer[] = [];

  bytes(field: number, value: Buffer): this {
    if (value.length === 0) return this;
    return this.message(field, value);
  }

  /** A message inside of this one, also when it is empty. */
  message(field: number, value: Buffer): this {
    this.#parts.push(varint((field << 3) | 2), varint(value.length), value);
    return this;
  }

  integer(field: number, value: number | bigint): this {
    if (Number(value) !== 0) this.#parts.push(varint(field << 3), varint(value));
    return this;
  }

  flag(field: number, value: boolean): this {
    return this.integer(field, value ? 1 : 0);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** What a message holds: integers as numbers, exact up to 2^53, which etcd's revisions do not reach. */
export interface FieldVisitor {
  integer?(field: number, value: number): void;
  bytes?(field: number, value: Buffer): void;
}

/** Visits the fields in the order in which they come. Buffers share the message's memory. */
export function readMessage(message: Buffer, visitor: FieldVisitor): void {
  let offset = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(offset++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const tag = readVarint();
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === 0) visitor.integer?.(field, readVarint());
    else if (type === 2) {
      const length = readVarint();
      if (offset + length > message.length) throw new Error("a protobuf field is longer than its message");
      visitor.bytes?.(field, message.subarray(offset, offset + length));
      offset += length;
    } else throw new Error(`protobuf wire type ${type} is not used by etcd`);
  }
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  if (typeof value === "number") {
    for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  } else {
    for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  }
  bytes.push(Number(value));
  return Buffer.from(bytes);
}
