import { expect, test } from "vitest";
import { AuthenticationExpressions, usesClaim } from "./expressions.js";

const expressions = new AuthenticationExpressions();

test.each([
  ["claims.email", true],
  ["claims.?email.orValue('')", true],
  ["has(claims.email) ? 'a' : 'b'", true],
  ["[claims.email]", true],
  ["claims.list.map(each, claims.email)", true],
  ["claims['email']", false],
  ["claims.nested.email", false],
  ["'email'", false],
])("%s looks at the email: %s", (source, looks) => {
  const compiled = expressions.compile(source, "claims");
  expect(compiled.error).toBeUndefined();
  expect(usesClaim(compiled, "email")).toBe(looks);
});
