import type { Shape } from "../../../api/configuration-shape.js";
import type { AnonymousOptions } from "../union.js";

/** Where a claim of the token ends up, or a CEL expression over `claims` in its place. */
export interface PrefixedClaimOrExpression {
  readonly claim?: string;
  /** Required with `claim`; `""` is none. */
  readonly prefix?: string;
  readonly expression?: string;
}

/**
 * One issuer of JSON web tokens and how its claims become a user: an element of `jwt` of upstream's
 * `apiserver.config.k8s.io/v1` AuthenticationConfiguration, in its words.
 */
export interface JwtConfiguration {
  readonly issuer: {
    /** HTTPS; exactly the tokens' `iss`. */
    readonly url: string;
    /** Where the OpenID configuration is, when not below `url`. */
    readonly discoveryURL?: string;
    /** PEM; absent: the public authorities. */
    readonly certificateAuthority?: string;
    /** The token needs one of them. */
    readonly audiences: readonly string[];
    /** Required with more than one audience. */
    readonly audienceMatchPolicy?: "MatchAny";
  };
  readonly claimValidationRules?: readonly {
    readonly claim?: string;
    readonly requiredValue?: string;
    readonly expression?: string;
    readonly message?: string;
  }[];
  readonly claimMappings: {
    readonly username: PrefixedClaimOrExpression;
    readonly groups?: PrefixedClaimOrExpression;
    readonly uid?: { readonly claim?: string; readonly expression?: string };
    readonly extra?: readonly { readonly key: string; readonly valueExpression: string }[];
  };
  /** Over `user`. */
  readonly userValidationRules?: readonly { readonly expression: string; readonly message?: string }[];
}

export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtConfiguration[];
  /** Absent: the server's own option decides. */
  readonly anonymous?: AnonymousOptions;
}

const claimOrExpression = { claim: "string", expression: "string" } as const;

export const authenticationShape: Shape = {
  fields: {
    apiVersion: "string",
    kind: "string",
    jwt: {
      list: {
        fields: {
          issuer: {
            fields: {
              url: "string",
              discoveryURL: "string",
              certificateAuthority: "string",
              audiences: { list: "string" },
              audienceMatchPolicy: "string",
              egressSelectorType: "string",
            },
          },
          claimValidationRules: {
            list: { fields: { ...claimOrExpression, requiredValue: "string", message: "string" } },
          },
          claimMappings: {
            fields: {
              username: { fields: { ...claimOrExpression, prefix: "string" } },
              groups: { fields: { ...claimOrExpression, prefix: "string" } },
              uid: { fields: claimOrExpression },
              extra: { list: { fields: { key: "string", valueExpression: "string" } } },
            },
          },
          userValidationRules: { list: { fields: { expression: "string", message: "string" } } },
        },
      },
    },
    anonymous: { fields: { enabled: "boolean", conditions: { list: { fields: { path: "string" } } } } },
  },
};
