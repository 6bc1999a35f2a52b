import { invalid } from "../../api/field-error.js";
import {
  type FieldError,
  type KubeObject,
  nodes,
  pods,
  type Secret,
  secrets,
  serviceAccounts,
  statusErrors,
  type TokenRequest,
  type TokenRequestSpec,
} from "../../api/index.js";
import { formatTime } from "../../api/time.js";
import type { Clock } from "../../internal/clock.js";
import type { CacheReader } from "../admission/admission.js";
import type { Authorizer } from "../authz/authorizer.js";
import { nodeNameOf } from "../authz/node.js";
import type { ServerRequest } from "../request.js";
import { checkNodeTokenRequest } from "./node-token-request.js";
import type { BoundClaims, TokenIssuer } from "./token-issuer.js";

/** A pod's token that asks for exactly this is given far longer, and warns from here on: old clients never read theirs again. */
const warnOnlySeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;
const minSeconds = 600;
const maxSeconds = 2 ** 32;

export interface TokenRequestOptions {
  readonly issuer: TokenIssuer;
  readonly cache: CacheReader;
  readonly clock: Clock;
  /** What a request without audiences is for: the API server. */
  readonly audiences: readonly string[];
  /** Who may let nodes ask for tokens for audiences that no volume of theirs names. Absent: nobody. */
  readonly authorizer?: Authorizer | undefined;
}

/** Answers a POST to `serviceaccounts/NAME/token`. Throws StatusError: NotFound, Invalid, BadRequest, Conflict. */
export function tokenRequestEvaluator(options: TokenRequestOptions): (request: ServerRequest) => Promise<KubeObject> {
  return async (request) => {
    const namespace = request.namespace ?? "";
    const name = request.name ?? "";
    const body = bodyOf(request.body);
    const spec: TokenRequestSpec & { expirationSeconds: number } = {
      ...body.spec,
      audiences: body.spec?.audiences?.length ? body.spec.audiences : options.audiences,
      expirationSeconds: body.spec?.expirationSeconds ?? 3600,
    };
    validate(spec.expirationSeconds);
    const account = options.cache.get(serviceAccounts, { namespace, name });
    if (account === undefined) throw statusErrors.notFound({ group: "", resource: "serviceaccounts" }, name);
    const node = nodeNameOf(request.user);
    if (node !== undefined) await checkNodeTokenRequest({ request, spec: body.spec ?? {}, node }, options);
    const bound = boundObject(spec, namespace, name, options.cache);
    const nowSeconds = Math.floor(options.clock.now() / 1000);
    const extended =
      bound.pod !== undefined &&
      spec.expirationSeconds === warnOnlySeconds &&
      (spec.audiences ?? []).every((audience) => options.audiences.includes(audience));
    const claims: BoundClaims = {
      namespace,
      ...bound,
      serviceaccount: { name, uid: account.metadata.uid ?? "" },
      ...(extended ? { warnafter: nowSeconds + warnOnlySeconds } : {}),
    };
    const token = await options.issuer.issue({
      claims,
      audiences: spec.audiences ?? [],
      lifetimeSeconds: extended ? extendedSeconds : spec.expirationSeconds,
    });
    return {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace, creationTimestamp: formatTime(options.clock.now()) },
      spec,
      status: { token, expirationTimestamp: formatTime((nowSeconds + spec.expirationSeconds) * 1000) },
    } as unknown as KubeObject;
  };
}

function bodyOf(body: unknown): Partial<TokenRequest> {
  return typeof body === "object" && body !== null ? body : {};
}

function validate(seconds: number): void {
  const path = "spec.expirationSeconds";
  const errors: FieldError[] = [];
  if (seconds < minSeconds) errors.push(invalid(path, seconds, "may not specify a duration less than 10 minutes"));
  if (seconds > maxSeconds) errors.push(invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"));
  if (errors.length > 0) throw statusErrors.invalid("authentication.k8s.io", "TokenRequest", "", errors);
}

function boundObject(
  spec: TokenRequestSpec,
  namespace: string,
  account: string,
  cache: CacheReader,
): Pick<BoundClaims, "pod" | "secret" | "node"> {
  const reference = spec.boundObjectRef;
  if (reference === undefined || reference === null) return {};
  const name = reference.name ?? "";
  switch (`${reference.apiVersion}/${reference.kind}`) {
    case "v1/Pod": {
      const pod = cache.get(pods, { namespace, name });
      const found = mustBe("pods", name, pod, reference.uid);
      if ((pod?.spec?.serviceAccountName ?? "") !== account) {
        throw statusErrors.badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
        );
      }
      const nodeName = pod?.spec?.nodeName;
      if (!nodeName) return { pod: found };
      const uid = cache.get(nodes, { name: nodeName })?.metadata.uid;
      return { pod: found, node: uid === undefined ? { name: nodeName } : { name: nodeName, uid } };
    }
    case "v1/Secret": {
      const secret: Secret | undefined = cache.get(secrets, { namespace, name });
      return { secret: mustBe("secrets", name, secret, reference.uid) };
    }
    case "v1/Node":
      return { node: mustBe("nodes", name, cache.get(nodes, { name }), reference.uid) };
    default:
      throw statusErrors.badRequest(
        `cannot bind token to object of type ${reference.apiVersion ?? ""}, Kind=${reference.kind ?? ""}`,
      );
  }
}

function mustBe(
  resource: string,
  name: string,
  found: KubeObject | undefined,
  uid: string | undefined,
): { name: string; uid: string } {
  if (found === undefined) throw statusErrors.notFound({ group: "", resource }, name);
  const actual = found.metadata.uid ?? "";
  if (uid !== undefined && uid !== "" && uid !== actual) {
    throw statusErrors.conflict(
      { group: "", resource },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  return { name, uid: actual };
}
