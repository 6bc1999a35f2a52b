import type { PrinterColumn } from "../description.js";
import type { CertificateSigningRequest, ClusterRoleBinding, RbacSubject, RoleBinding } from "../gen/types.js";
import { ageColumn, columns, name, text, wide } from "./column.js";
import { humanDuration } from "./human-duration.js";

function subjects(list: readonly RbacSubject[] | undefined, kind: string): string {
  return (list ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === "ServiceAccount" ? `${subject.namespace ?? ""}/${subject.name}` : subject.name))
    .join(", ");
}

export const roleBindingColumns: readonly PrinterColumn[] = columns<RoleBinding | ClusterRoleBinding>(
  name,
  text("Role", "What is granted.", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn,
  wide("Users", "The users to whom.", (binding) => subjects(binding.subjects, "User")),
  wide("Groups", "The groups to whom.", (binding) => subjects(binding.subjects, "Group")),
  wide("ServiceAccounts", "The service accounts to whom.", (binding) => subjects(binding.subjects, "ServiceAccount")),
);

function requestCondition(request: CertificateSigningRequest): string {
  const types = new Set((request.status?.conditions ?? []).map((condition) => condition.type));
  let text = types.has("Denied") ? "Denied" : types.has("Approved") ? "Approved" : "Pending";
  if (types.has("Failed")) text += ",Failed";
  if (request.status?.certificate) text += ",Issued";
  return text;
}

export const certificateSigningRequestColumns: readonly PrinterColumn[] = columns<CertificateSigningRequest>(
  name,
  ageColumn,
  text("SignerName", "Who should sign.", (request) => request.spec.signerName),
  text("Requestor", "Who asks.", (request) => request.spec.username ?? ""),
  text("RequestedDuration", "For how long.", ({ spec }) =>
    spec.expirationSeconds === undefined ? "<none>" : humanDuration(spec.expirationSeconds * 1000),
  ),
  text("Condition", "How far it is.", requestCondition),
);
