import { type FieldError, invalid, notSupported, required } from "../../field-error.js";
import type { APIService } from "../../gen/types.js";
import { validateDns1035Label, validatePortNumber } from "../../names.js";
import { addInvalid, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

export function validateApiService(service: Loose<APIService>): readonly FieldError[] {
  const errors: Errors = [];
  const { group = "", version = "", service: reference, caBundle, insecureSkipTLSVerify } = service.spec ?? {};
  const name = service.metadata?.name ?? "";
  const wanted = `${version}.${group}`;
  if (name !== wanted) {
    errors.push(invalid("metadata.name", name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`));
  }
  if (group === "") {
    if (version !== "v1") {
      errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
    }
  } else {
    checkSubdomain(errors, "spec.group", group);
  }
  addInvalid(errors, "spec.version", version, validateDns1035Label(version));
  checkPriority(errors, "spec.groupPriorityMinimum", service.spec?.groupPriorityMinimum ?? 0, 20_000);
  checkPriority(errors, "spec.versionPriority", service.spec?.versionPriority ?? 0, 1000);
  if (reference === undefined) {
    if ((caBundle ?? "") !== "") {
      const { length } = Buffer.from(caBundle ?? "", "base64");
      errors.push(invalid("spec.caBundle", `${length} bytes`, "local APIServices may not have a caBundle"));
    }
    if (insecureSkipTLSVerify === true) {
      errors.push(invalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"));
    }
    return errors;
  }
  checkRequired(errors, "spec.service.namespace", reference.namespace);
  checkRequired(errors, "spec.service.name", reference.name);
  const { port = 0 } = reference;
  const wrong = validatePortNumber(port);
  if (wrong.length > 0) errors.push(invalid("spec.service.port", port, `port is not valid: ${wrong.join(", ")}`));
  if (insecureSkipTLSVerify === true && (caBundle ?? "") !== "") {
    errors.push(invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
  }
  return errors;
}

function checkPriority(errors: Errors, path: string, value: number, max: number): void {
  if (value <= 0 || value > max) errors.push(invalid(path, value, `must be positive and less than ${max}`));
}

export function validateApiServiceStatus(service: Loose<APIService>): readonly FieldError[] {
  const errors: Errors = [];
  const known = ["True", "False", "Unknown"];
  service.status?.conditions?.forEach(({ status = "" }, index) => {
    if (!known.includes(status)) errors.push(notSupported(`status.conditions[${index}].status`, status, known));
  });
  return errors;
}
