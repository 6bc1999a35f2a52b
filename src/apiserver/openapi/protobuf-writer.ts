const varint = 0;
const fixed64 = 1;
const bytes = 2;

/** Writes protobuf's wire format into one growing buffer. */
export class ProtobufWriter {
  #buffer: Buffer = Buffer.allocUnsafe(64 * 1024);
  #at = 0;

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }

  string(field: number, value: string): void {
    this.#tag(field, bytes);
    const length = Buffer.byteLength(value);
    this.#varint(length);
    this.#reserve(length);
    this.#at += this.#buffer.write(value, this.#at);
  }

  bool(field: number, value: boolean): void {
    this.#tag(field, varint);
    this.#varint(value ? 1 : 0);
  }

  /** Not negative, and below 2^53. */
  integer(field: number, value: number): void {
    this.#tag(field, varint);
    this.#varint(value);
  }

  double(field: number, value: number): void {
    this.#tag(field, fixed64);
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** A message whose fields `body` writes. Its length stands before it, so longer ones are moved once they are known. */
  message(field: number, body: () => void): void {
    this.#tag(field, bytes);
    this.#reserve(1);
    const lengthAt = this.#at++;
    body();
    const length = this.#at - lengthAt - 1;
    const more = varintSize(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#buffer.copyWithin(lengthAt + 1 + more, lengthAt + 1, this.#at);
    }
    this.#at = lengthAt;
    this.#varint(length);
    this.#at += length;
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + size));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}
