import { Command } from "commander";
import { expect, test } from "vitest";
import { realClock } from "../internal/clock.js";
import { silentLogger } from "../internal/logger.js";
import { systemRandom } from "../internal/random.js";
import { type AuthenticationFlags, addAuthenticationFlags, authenticationOf } from "./authentication-flags.js";

function given(...args: readonly string[]): Promise<Awaited<ReturnType<typeof authenticationOf>>> {
  const command = addAuthenticationFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return authenticationOf(command.parse(args, { from: "user" }).opts<AuthenticationFlags>(), silentLogger);
}

const context = {
  cache: undefined as never,
  audiences: ["api"],
  clock: realClock,
  random: systemRandom,
  logger: silentLogger,
};

test("without flags everybody is who he is everywhere", async () => {
  const { authentication, tokens, parts } = await given();
  expect(authentication).toMatchObject({ bootstrapTokens: false, anonymous: { enabled: true } });
  expect(authentication.tokenAuthenticators?.(context)).toEqual([]);
  expect([tokens, parts]).toEqual([undefined, []]);
});

test("flags say who is let in", async () => {
  const issuer = ["--oidc-issuer-url", "https://a.example.com", "--oidc-client-id", "api"];
  const { authentication } = await given(
    "--enable-bootstrap-token-auth",
    "--anonymous-auth=false",
    ...issuer,
    "--oidc-signing-algs=RS256,ES256",
    "--oidc-required-claim=a=b",
    "--oidc-required-claim=c=d",
  );
  expect(authentication).toMatchObject({ bootstrapTokens: true, anonymous: { enabled: false } });
  expect(authentication.tokenAuthenticators?.(context).map(({ name }) => name)).toEqual(["jwt:https://a.example.com"]);
});

test.each([
  ["an issuer without an audience", ["--oidc-issuer-url=https://a.example.com"], "must be specified together"],
  ["no issuer", ["--oidc-groups-claim=g"], "must be specified together"],
  [
    "an issuer that is not safe",
    ["--oidc-issuer-url=http://a.example.com", "--oidc-client-id=a"],
    "jwt[0].issuer.url: Invalid value",
  ],
  [
    "signatures that are none",
    ["--oidc-issuer-url=https://a.example.com", "--oidc-client-id=a", "--oidc-signing-algs=none"],
    'oidc: unsupported signing alg: "none"',
  ],
  ["a file that is not there", ["--authentication-config=/nowhere"], "cannot read /nowhere"],
])("%s is refused", async (_, args, message) => {
  await expect(given(...args)).rejects.toThrow(message);
});
