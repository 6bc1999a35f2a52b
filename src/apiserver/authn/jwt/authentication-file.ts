import { readFile } from "node:fs/promises";
import { ConfigurationError } from "../../../api/configuration-shape.js";
import { type Clock, realClock } from "../../../internal/clock.js";
import type { Component } from "../../../internal/component.js";
import { type Logger, silentLogger } from "../../../internal/logger.js";
import { reloadingFile } from "../../reloading-file.js";
import { forAudiences } from "../audiences.js";
import type { TokenAuthenticator } from "../authenticator.js";
import type { AuthenticationOptions } from "../server-authentication.js";
import { defaultIssuer } from "../service-account-names.js";
import { jwtAuthenticator } from "./jwt-authenticator.js";
import {
  type CompiledAuthentication,
  compileAuthentication,
  readAuthenticationConfiguration,
} from "./read-configuration.js";

export interface AuthenticationFileOptions {
  /** Issuers that the file must not name: those of service account tokens. Default: upstream's. */
  readonly disallowedIssuers?: readonly string[] | undefined;
  readonly intervalMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** An AuthenticationConfiguration in force. */
export interface AuthenticationFile {
  readonly tokenAuthenticators: NonNullable<AuthenticationOptions["tokenAuthenticators"]>;
  /** As the file had it when it was first read: like upstream, changes of it need a restart. */
  readonly anonymous: AuthenticationOptions["anonymous"];
  /** Follows the file as long as it runs. */
  readonly component: Component;
}

/** Reads an AuthenticationConfiguration and follows it. Rejects with ConfigurationError for one that is no good. */
export async function authenticationFile(
  path: string,
  options: AuthenticationFileOptions = {},
): Promise<AuthenticationFile> {
  const { clock = realClock, logger = silentLogger, disallowedIssuers = [defaultIssuer] } = options;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new ConfigurationError(`cannot read ${path}`, { cause });
  });
  const compile = (from: string): CompiledAuthentication =>
    compileAuthentication(readAuthenticationConfiguration(from), disallowedIssuers);
  const first = compile(text);
  let current = jwtAuthenticators(first, clock);
  const tokens: TokenAuthenticator = {
    name: "jwt",
    async authenticateToken(token, audiences) {
      for (const issuer of current) {
        const found = await issuer.authenticateToken(token, audiences);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
  const component = reloadingFile({
    name: "authentication-config",
    path,
    text,
    apply(changed) {
      const next = compile(changed);
      if (JSON.stringify(next.anonymous) !== JSON.stringify(first.anonymous)) {
        logger.warn("anonymous of an authentication configuration changed, which needs a restart", { path });
      }
      current = jwtAuthenticators(next, clock);
    },
    clock,
    logger,
    intervalMs: options.intervalMs,
  });
  return {
    anonymous: first.anonymous,
    tokenAuthenticators: ({ audiences }) => [forAudiences(audiences, tokens)],
    component,
  };
}

/** Of the issuers in turn. */
export function jwtAuthenticators({ jwt }: CompiledAuthentication, clock: Clock): readonly TokenAuthenticator[] {
  return jwt.map((compiled) => jwtAuthenticator(compiled, { clock }));
}
