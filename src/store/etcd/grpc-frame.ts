const headLength = 5;

/** A message as gRPC frames it: a byte for compression, which we never use, the length, the message. */
export function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Puts messages together from the pieces in which they arrive, copying each piece once at most. */
export class FrameSplitter {
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Bytes that there must be before it is worth looking again. */
  #wanted = headLength;

  /** The messages that this piece completes. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#wanted) return [];
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const messages: Buffer[] = [];
    let offset = 0;
    this.#wanted = headLength;
    while (offset + headLength <= bytes.length) {
      const length = headLength + bytes.readUInt32BE(offset + 1);
      if (offset + length > bytes.length) {
        this.#wanted = length;
        break;
      }
      messages.push(bytes.subarray(offset + headLength, offset + length));
      offset += length;
    }
    this.#bytes = bytes.length - offset;
    this.#pieces = this.#bytes === 0 ? [] : [bytes.subarray(offset)];
    return messages;
  }
}
