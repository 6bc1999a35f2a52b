/** A file, a folder (its path ends in a slash) or a symbolic link of an archive. */
export interface TarEntry {
  /** Relative, at most 100 bytes. */
  readonly path: string;
  /** Permissions; default 0o755, which suits programs and folders. */
  readonly mode?: number | undefined;
  readonly data?: Buffer | undefined;
  /** What a symbolic link points to. */
  readonly link?: string | undefined;
}

const blockBytes = 512;

/** An archive in the ustar format; everything belongs to root and is of 1970. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    const data = entry.data ?? Buffer.alloc(0);
    const padding = (blockBytes - (data.length % blockBytes)) % blockBytes;
    parts.push(header(entry, data.length), data, Buffer.alloc(padding));
  }
  parts.push(Buffer.alloc(2 * blockBytes));
  return Buffer.concat(parts);
}

function header({ path, mode = 0o755, link }: TarEntry, sizeBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const text = (value: string, offset: number, length: number): void => {
    if (Buffer.byteLength(value) > length) throw new Error(`${value} is too long for an archive`);
    block.write(value, offset);
  };
  const octal = (value: number, offset: number, length: number): void => {
    text(`${value.toString(8).padStart(length - 1, "0")}\0`, offset, length);
  };
  text(path, 0, 100);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  text(link !== undefined ? "2" : path.endsWith("/") ? "5" : "0", 156, 1);
  text(link ?? "", 157, 100);
  text("ustar\0", 257, 6);
  text("00", 263, 2);
  // The sum is taken with its own field full of spaces.
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}
