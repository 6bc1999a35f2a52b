import { Command } from "commander";
import { expect, test } from "vitest";
import { FixtureCache } from "../apiserver/admission/fixture-cache.js";
import { defaultAuthorizer } from "../apiserver/authz/default-authorizer.js";
import { silentLogger } from "../internal/logger.js";
import {
  type AuthorizationFlags,
  addAuthorizationFlags,
  authorizationOf,
  type GivenAuthorization,
} from "./authorization-flags.js";

function given(...args: readonly string[]): Promise<GivenAuthorization> {
  const command = addAuthorizationFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return authorizationOf(command.parse(args, { from: "user" }).opts<AuthorizationFlags>(), silentLogger);
}

test.each([
  ["nodes and roles", [], "node,rbac", false],
  ["the order of the flag", ["--authorization-mode=RBAC,Node"], "rbac,node", false],
  ["everybody", ["--authorization-mode=AlwaysAllow"], "alwaysallow", true],
])("%s decide", async (_, args, name, alwaysAllows) => {
  const found = await given(...args);
  const { authorizers } = found;
  expect(found.alwaysAllows).toBe(alwaysAllows);
  expect(defaultAuthorizer(new FixtureCache(), { authorizers }).name).toBe(`SystemMasters,${name}`);
});

test.each([
  ["a mode that nobody knows", ["--authorization-mode=Rbac"], 'authorization-mode "Rbac" is not a valid mode'],
  ["a mode that is not there", ["--authorization-mode=ABAC"], 'authorization-mode "ABAC" is not supported'],
  ["a mode twice", ["--authorization-mode=RBAC,RBAC"], "has mode specified more than once"],
  ["a webhook of nowhere", ["--authorization-mode=Webhook"], "authorization config file not passed"],
  ["a webhook that nobody asks", ["--authorization-webhook-config-file=/a"], "without mode Webhook"],
  [
    "a webhook that is not there",
    ["--authorization-mode=Webhook", "--authorization-webhook-config-file=/no"],
    "no kubeconfig at /no",
  ],
  ["a file and modes", ["--authorization-config=/a", "--authorization-mode=RBAC"], "can not be specified when"],
  ["a file that is not there", ["--authorization-config=/nowhere"], "cannot read /nowhere"],
])("%s is refused", async (_, args, message) => {
  await expect(given(...args)).rejects.toThrow(message);
});
