/** A failure that is answered as plain text and not as a Status, where upstream does so. */
export class TextError extends Error {
  override readonly name = "TextError";
  readonly code: number;

  constructor(code: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
