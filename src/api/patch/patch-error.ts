import { type StatusError, statusErrors } from "../status.js";

/**
 * malformed: no patch of its type (400); unprocessable: it does not apply to this object (422); tooManyOperations: beyond the
 * limit (413); unclassified: what upstream gives no code of its own, and therefore answers with 500.
 */
export type PatchErrorCode = "malformed" | "unprocessable" | "tooManyOperations" | "unclassified";

/** A patch that cannot be applied. The object that it was for is untouched. */
export class PatchError extends Error {
  override readonly name = "PatchError";
  readonly code: PatchErrorCode;

  constructor(code: PatchErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** What a client of the API is told: upstream hides the detail of a patch that does not apply. */
  toStatusError(): StatusError {
    switch (this.code) {
      case "malformed":
        return statusErrors.badRequest(this.message, { cause: this });
      case "tooManyOperations":
        return statusErrors.requestEntityTooLarge(`Request entity too large: ${this.message}`);
      case "unprocessable":
        return statusErrors.unprocessable({ cause: this });
      case "unclassified":
        return statusErrors.unclassified(this.message, { cause: this });
    }
  }
}
