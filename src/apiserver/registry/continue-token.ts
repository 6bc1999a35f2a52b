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
  const token = parseToken(text);
  if (token.v !== "meta.k8s.io/v1") throw invalidToken(`: server does not recognize this encoded version ${token.v}`);
  const { rv, start } = token;
  if (rv === 0) throw invalidToken(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (start === "") throw invalidToken(": encoded start key empty (version meta.k8s.io/v1)");
  // What would be another path when cleaned could begin in somebody else's keys.
  const steps = start.replace(/^\//, "").split("/");
  if (steps.some((step) => step === "" || step === "." || step === "..")) throw invalidToken(`: ${start}`);
  return { revision: rv, after: steps.join("/").replace(/\0$/, "") };
}

function parseToken(text: string): { readonly v: string; readonly rv: number; readonly start: string } {
  const bad = /[^A-Za-z0-9_-]/.exec(text);
  if (bad !== null) throw invalidToken(`: illegal base64 data at input byte ${bad.index}`);
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch (cause) {
    throw invalidToken(`: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (typeof token !== "object" || token === null) throw invalidToken(": it is no JSON object");
  const { v = "", rv = 0, start = "" } = token as { v?: unknown; rv?: unknown; start?: unknown };
  if (typeof v !== "string" || typeof start !== "string" || typeof rv !== "number" || !Number.isSafeInteger(rv)) {
    throw invalidToken(": its fields are of other types");
  }
  return { v, rv, start };
}

function invalidToken(why: string, cause?: unknown): Error {
  return statusErrors.badRequest(`invalid continue token: continue key is not valid${why}`, { cause });
}
