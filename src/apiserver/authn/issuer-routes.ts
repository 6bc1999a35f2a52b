import type { PathRoute } from "../http/routes.js";
import type { TokenIssuer } from "./token-issuer.js";

const cacheControl = { "Cache-Control": "public, max-age=3600" };

/** What others need to check our service account tokens by themselves: OIDC discovery and the public keys. */
export function issuerRoutes(issuer: TokenIssuer, jwksUri: string): PathRoute {
  return {
    paths: ["/.well-known/openid-configuration", "/openid/v1/jwks"],
    async handle({ path }) {
      if (path === "/openid/v1/jwks") {
        const body = JSON.stringify(await issuer.jwks());
        return { code: 200, contentType: "application/jwk-set+json", body, headers: cacheControl };
      }
      if (path !== "/.well-known/openid-configuration") return undefined;
      const { keys } = await issuer.jwks();
      const body = JSON.stringify({
        issuer: issuer.issuer,
        jwks_uri: jwksUri,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: [...new Set(keys.map((key) => key.alg))].sort(),
      });
      return { code: 200, contentType: "application/json", body, headers: cacheControl };
    },
  };
}
