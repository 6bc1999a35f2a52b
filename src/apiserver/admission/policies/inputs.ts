import { AuthorizerValue } from "../../../api/admission-cel/authorizer-library.js";
import type { AdmissionEnvironments } from "../../../api/admission-cel/environments.js";
import { dynamicSteps } from "../../../api/custom/cel/dynamic.js";
import type { JsonObject, Namespace } from "../../../api/index.js";
import { inSlices } from "../../registry/slices.js";
import type { AdmissionRequest } from "../admission.js";
import type { MatchedResource } from "../rule-match.js";
import type { AccessAnswers, Inputs } from "./evaluation.js";
import type { PolicyDeps } from "./policy-deps.js";

interface InputContext {
  readonly answers: AccessAnswers;
  readonly namespace: Namespace | undefined;
}

/** One request as one resource, as it is shown to expressions. Objects are converted when first needed, and then shared by all policies. */
export class RequestView {
  readonly request: AdmissionRequest;
  readonly matched: MatchedResource;
  readonly object: JsonObject | undefined;
  readonly oldObject: JsonObject | undefined;
  /** By environment, whose own types they have. */
  readonly #values = new Map<AdmissionEnvironments, Promise<Inputs>>();

  constructor(
    request: AdmissionRequest,
    matched: MatchedResource,
    objects: { readonly object: JsonObject | undefined; readonly oldObject: JsonObject | undefined },
  ) {
    this.request = request;
    this.matched = matched;
    this.object = objects.object;
    this.oldObject = objects.oldObject;
  }

  /** Everything but params. */
  inputs(environments: AdmissionEnvironments, context: InputContext): Promise<Inputs> {
    let known = this.#values.get(environments);
    if (known === undefined) {
      known = this.#inputs(environments, context);
      this.#values.set(environments, known);
    }
    return known;
  }

  async #inputs(environments: AdmissionEnvironments, context: InputContext): Promise<Inputs> {
    const { records } = environments;
    const { group, resource, subresource, namespace, name, user } = this.request;
    return {
      object: await inSlices(dynamicSteps(this.object ?? null)),
      oldObject: await inSlices(dynamicSteps(this.oldObject ?? null)),
      request: records.request(requestRecord(this.request, this.matched)),
      namespaceObject: records.namespace(context.namespace && namespaceRecord(context.namespace)),
      authorizer: new AuthorizerValue(context.answers.ask, user, {
        group,
        resource,
        ...(subresource === "" ? {} : { subresource }),
        ...(namespace === "" ? {} : { namespace }),
        ...(name === "" ? {} : { name }),
      }),
    };
  }
}

/** The request with its objects as the matched resource shows them. */
export async function viewOf(
  request: AdmissionRequest,
  matched: MatchedResource,
  convert: PolicyDeps["convert"],
): Promise<RequestView> {
  const { object, oldObject } = request;
  const same =
    matched.group === request.group && matched.version === request.version && matched.resource === request.resource;
  if (same) return new RequestView(request, matched, { object, oldObject });
  return new RequestView(request, matched, {
    object: object && (await convert(object, request, matched)),
    oldObject: oldObject && (await convert(oldObject, request, matched)),
  });
}

/** The request of an AdmissionReview, without objects and uid. */
export function requestRecord(request: AdmissionRequest, matched: MatchedResource): JsonObject {
  const { group, version, kind, resource, subresource, name, namespace, operation, user } = request;
  return {
    kind: { group: matched.group, version: matched.version, kind: matched.kind },
    resource: { group: matched.group, version: matched.version, resource: matched.resource },
    ...(subresource === "" ? {} : { subResource: subresource }),
    requestKind: { group, version, kind },
    requestResource: { group, version, resource },
    ...(subresource === "" ? {} : { requestSubResource: subresource }),
    name,
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.username,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    dryRun: request.dryRun,
    options: operation === "CONNECT" ? null : request.options,
  };
}

function namespaceRecord({ metadata, spec, status }: Namespace): JsonObject {
  return { metadata: { ...metadata, UID: metadata.uid }, spec: spec ?? {}, status: status ?? {} };
}
