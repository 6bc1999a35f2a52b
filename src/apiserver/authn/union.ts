import {
  type AuthenticatedUser,
  type AuthenticationRequest,
  type Authenticator,
  anonymousUser,
} from "./authenticator.js";

type Outcome = AuthenticatedUser | undefined | Promise<AuthenticatedUser | undefined>;

/**
 * Asks each in turn until one knows the user. A bad credential does not keep the others from being asked, but when none knows the
 * user its error stands: nobody with bad credentials is taken for somebody without any.
 */
export function unionAuthenticator(authenticators: readonly Authenticator[]): Authenticator {
  const from = (request: AuthenticationRequest, start: number, errors: unknown[]): Outcome => {
    for (let at = start; at < authenticators.length; at++) {
      const authenticator = authenticators[at] as Authenticator;
      try {
        const found = authenticator.authenticate(request);
        if (found instanceof Promise) {
          return found.then(
            (user) => user ?? from(request, at + 1, errors),
            (error) => from(request, at + 1, [...errors, error]),
          );
        }
        if (found !== undefined) return found;
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "no credentials of the request are valid");
    return undefined;
  };
  return {
    name: authenticators.map((authenticator) => authenticator.name).join(","),
    authenticate: (request) => from(request, 0, []),
  };
}

/** Whether requests without credentials are somebody, and on which paths. */
export interface AnonymousOptions {
  readonly enabled: boolean;
  /** Exact paths; none: everywhere. */
  readonly conditions?: readonly { readonly path: string }[];
}

/** Everybody else is system:anonymous, where that is allowed. Goes behind the union, so that it is never reached with bad credentials. */
export function withAnonymous(
  authenticator: Authenticator,
  { enabled, conditions = [] }: AnonymousOptions = { enabled: true },
): Authenticator {
  if (!enabled) return authenticator;
  const anonymous: AuthenticatedUser = { user: anonymousUser };
  const paths = conditions.length === 0 ? undefined : new Set(conditions.map(({ path }) => path));
  const otherwise = ({ path }: AuthenticationRequest): AuthenticatedUser | undefined =>
    paths === undefined || (path !== undefined && paths.has(path)) ? anonymous : undefined;
  return {
    name: `${authenticator.name},anonymous`,
    authenticate(request) {
      const found = authenticator.authenticate(request);
      return found instanceof Promise
        ? found.then((user) => user ?? otherwise(request))
        : (found ?? otherwise(request));
    },
  };
}
