import { X509Certificate } from "node:crypto";
import type { StrategyContext } from "../../description.js";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../../gen/types.js";
import type { Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { checkSignerName } from "../signer-name.js";
import { requestProblem } from "./pkcs10.js";

type Request = Loose<CertificateSigningRequest>;
type Condition = Loose<CertificateSigningRequestCondition>;

const usages = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping",
];
const pemBlock = /-----BEGIN ([^\n-]*)-----\r?\n([^-]*)-----END \1-----/;
const minSeconds = 600;
const decisions = ["Approved", "Denied"];
const verdicts = [...decisions, "Failed"];

export function validateCertificateRequest(request: Request): readonly FieldError[] {
  const errors: Errors = [];
  const spec = request.spec ?? {};
  const { request: asText = "" } = spec;
  const pem = Buffer.from(asText, "base64").toString("latin1");
  const [, type, body = ""] = pemBlock.exec(pem) ?? [];
  const why =
    type === "CERTIFICATE REQUEST"
      ? requestProblem(Buffer.from(body, "base64"))
      : "PEM block type must be CERTIFICATE REQUEST";
  if (why !== undefined) errors.push(invalid("spec.request", asText, why));
  const asked = spec.usages ?? [];
  if (asked.length === 0) errors.push(required("spec.usages"));
  asked.forEach((usage, index) => {
    if (!usages.includes(usage)) errors.push(notSupported(`spec.usages[${index}]`, usage, usages));
  });
  asked.forEach((usage, index) => {
    if (asked.indexOf(usage) < index) errors.push(duplicate(`spec.usages[${index}]`, usage));
  });
  const signer = spec.signerName ?? "";
  if (signer === "kubernetes.io/legacy-unknown") {
    errors.push(invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version"));
  } else {
    checkSignerName(errors, "spec.signerName", signer);
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < minSeconds) {
    const why = "may not specify a duration less than 600 seconds (10 minutes)";
    errors.push(invalid("spec.expirationSeconds", spec.expirationSeconds, why));
  }
  return errors;
}

/** What is asked never changes, and a decision is made through the subresource for it; who writes status leaves it alone. */
export function prepareRequestUpdate(request: Request, old: Request, context: StrategyContext): Request {
  if (context.subresource === undefined) return { ...request, spec: old.spec };
  const kept = context.subresource === "status" ? withDecisionsOf(request, old) : request;
  const conditions = kept.status?.conditions?.map((condition) => withTimes(condition, old, context.now));
  return conditions === undefined ? kept : { ...kept, status: { ...kept.status, conditions } };
}

function conditionsOf(request: Request, type?: string): readonly Condition[] {
  return (request.status?.conditions ?? []).filter((condition) => type === undefined || condition.type === type);
}

function withDecisionsOf(request: Request, old: Request): Request {
  let conditions = conditionsOf(request);
  for (const type of decisions) {
    const before = [...conditionsOf(old, type)];
    if (before.length !== conditionsOf(request, type).length) continue;
    conditions = conditions.map((condition) => (condition.type === type ? (before.shift() ?? condition) : condition));
  }
  return conditions.length === 0 ? request : { ...request, status: { ...request.status, conditions } };
}

function withTimes(condition: Condition, old: Request, now: string): Condition {
  const same = conditionsOf(old, condition.type).find(({ status }) => status === condition.status);
  return {
    ...condition,
    lastUpdateTime: condition.lastUpdateTime ?? now,
    lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
  };
}

export function validateRequestUpdate(request: Request, old: Request): readonly FieldError[] {
  return statusErrors(request, old);
}

export function validateRequestStatus(request: Request, old: Request): readonly FieldError[] {
  const errors = [...statusErrors(request, old)];
  for (const type of decisions) {
    const [before, after] = [conditionsOf(old, type), conditionsOf(request, type)];
    const verb = after.length > before.length ? "add" : semanticallyEqual(before, after) ? undefined : "modify";
    if (after.length < before.length || verb === undefined) continue;
    errors.push(forbidden("status.conditions", `updates may not ${verb} a condition of type ${JSON.stringify(type)}`));
  }
  const { certificate: before = "" } = old.status ?? {};
  if (before !== "" && (request.status?.certificate ?? "") !== before) {
    errors.push(forbidden("status.certificate", "updates may not modify existing certificate content"));
  }
  return errors;
}

function statusErrors(request: Request, old: Request): readonly FieldError[] {
  const errors: Errors = [];
  // What an older server let in may stay.
  const before = new Set(conditionErrors(old).map(({ message }) => message));
  errors.push(...conditionErrors(request).filter(({ message }) => !before.has(message)));
  const { certificate = "" } = request.status ?? {};
  if (certificate !== "" && certificate !== old.status?.certificate) {
    const why = certificateProblem(certificate);
    if (why !== undefined) errors.push(invalid("status.certificate", "<certificate data>", why));
  }
  for (const type of verdicts) {
    if (conditionsOf(request, type).length >= conditionsOf(old, type).length) continue;
    errors.push(forbidden("status.conditions", `updates may not remove a condition of type ${JSON.stringify(type)}`));
  }
  return errors;
}

function conditionErrors(request: Request): Errors {
  const errors: Errors = [];
  const seen = new Set<string>();
  conditionsOf(request).forEach(({ type = "", status = "" }, index) => {
    const at = `status.conditions[${index}]`;
    if (type === "") errors.push(required(`${at}.type`));
    const allowed = verdicts.includes(type) ? ["True"] : ["False", "True", "Unknown"];
    if (status === "") errors.push(required(`${at}.status`));
    else if (!allowed.includes(status)) errors.push(notSupported(`${at}.status`, status, allowed));
    const opposite = type === "Approved" ? "Denied" : type === "Denied" ? "Approved" : "";
    if (opposite !== "" && seen.has(opposite)) {
      errors.push(invalid(`${at}.type`, type, "Approved and Denied conditions are mutually exclusive"));
    }
    if (seen.has(type)) errors.push(duplicate(`${at}.type`, type));
    seen.add(type);
  });
  return errors;
}

function certificateProblem(base64: string): string | undefined {
  const text = Buffer.from(base64, "base64").toString("latin1");
  const blocks = [...text.matchAll(/-----BEGIN ([^\n-]*)-----\r?\n([\s\S]*?)-----END \1-----/g)];
  for (const [block, type = "", body = ""] of blocks) {
    if (type !== "CERTIFICATE") return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(":")) return "no PEM block headers are permitted";
    try {
      new X509Certificate(block);
    } catch {
      return "x509: malformed certificate";
    }
  }
  return blocks.length === 0 ? "must contain at least one CERTIFICATE PEM block" : undefined;
}
