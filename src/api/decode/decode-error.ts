import { type StatusError, statusErrors } from "../status.js";

/** A body that cannot be read: `malformed` answers 400, `tooLarge` 413. Messages are as Go's decoders word them. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly code: "malformed" | "tooLarge";

  constructor(code: "malformed" | "tooLarge", message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  toStatusError(): StatusError {
    return this.code === "tooLarge"
      ? statusErrors.requestEntityTooLarge(`Request entity too large: ${this.message}`)
      : statusErrors.badRequest(this.message, { cause: this });
  }
}

export interface DecodeLimits {
  /** Bytes of the body. Upstream takes 3 MiB. */
  readonly maxBytes?: number;
}

export const defaultMaxBytes: number = 3 * 1024 * 1024;

/** A decoded body, with what strict validation wants to know of its text. */
export interface Decoded {
  readonly value: unknown;
  /** Complaints about duplicate keys, whole: `duplicate field "spec.foo"`. The last value won. */
  readonly duplicates: readonly string[];
  /** The order of all fields in the text, by path; present only when there were duplicates. */
  readonly order?: ReadonlyMap<string, number>;
}

/** `spec.containers[0].image`. */
export function joinPath(parent: string, key: string | number): string {
  if (typeof key === "number") return `${parent}[${key}]`;
  return parent === "" ? key : `${parent}.${key}`;
}

export function checkSize(bytes: Uint8Array, limits: DecodeLimits | undefined): void {
  const max = limits?.maxBytes ?? defaultMaxBytes;
  if (bytes.length > max) throw new DecodeError("tooLarge", `limit is ${max}`);
}
