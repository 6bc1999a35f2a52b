import { statusErrors } from "../../api/index.js";

/** Where a chunked list goes on: behind which key (relative to the list's prefix), and at which revision; -1 is whatever is newest. */
export interface ContinueToken {
  readonly revision: number;
  readonly after: string;
}

export function encodeContinue(token: ContinueToken): string {
  const body = JSON.stringify({ v: "meta.k8s.io/v1", rv: token.revision, start: `${token.after}\0` });
  return Buffer.from(body).toString("base64url");
}

/** Errors: BadRequest for what this API never gave out. */
export function decodeContinue(text: string): ContinueToken {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isToken(token)) return { revision: token.rv, after: token.start.replace(/\0$/, "") };
  } catch (cause) {
    throw statusErrors.badRequest(`continue key is not valid: ${String(cause)}`, { cause });
  }
  throw statusErrors.badRequest("continue key is not valid: incorrect encoded start resourceVersion or key");
}

function isToken(value: unknown): value is { readonly rv: number; readonly start: string } {
  if (typeof value !== "object" || value === null) return false;
  const { v, rv, start } = value as { v?: unknown; rv?: unknown; start?: unknown };
  return (
    v === "meta.k8s.io/v1" &&
    typeof rv === "number" &&
    Number.isSafeInteger(rv) &&
    rv !== 0 &&
    typeof start === "string" &&
    start !== "" &&
    !start.split("/").includes("..")
  );
}
