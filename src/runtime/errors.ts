export type RuntimeErrorCode =
  | "not-found"
  | "already-exists"
  | "invalid"
  | "failed-precondition"
  | "deadline-exceeded"
  | "unavailable"
  | "unimplemented"
  | "image-not-found"
  | "internal";

/** The one error of a Runtime; `code` is what callers decide by, `message` is shown to people in events and statuses. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `error` is a RuntimeError, with that code if one is given. */
export function isRuntimeError(error: unknown, code?: RuntimeErrorCode): error is RuntimeError {
  return error instanceof RuntimeError && (code === undefined || error.code === code);
}
