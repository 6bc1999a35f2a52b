import type { TokenAuthenticator } from "./authenticator.js";

/**
 * Tokens that know nothing of audiences are for the API server: whoever asks for others only does not know them, and whoever asks for the
 * API server's among others is told so.
 */
export function forAudiences(apiAudiences: readonly string[], tokens: TokenAuthenticator): TokenAuthenticator {
  return {
    name: tokens.name,
    async authenticateToken(token, wanted) {
      const audiences = wanted.filter((audience) => apiAudiences.includes(audience));
      if (wanted.length > 0 && audiences.length === 0) return undefined;
      const found = await tokens.authenticateToken(token, wanted);
      return found === undefined ? undefined : { ...found, audiences };
    },
  };
}
