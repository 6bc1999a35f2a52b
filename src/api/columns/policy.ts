import type { PrinterColumn } from "../description.js";
import type {
  APIService,
  FlowSchema,
  LabelSelector,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  PodDisruptionBudget,
  PriorityClass,
  PriorityLevelConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../gen/types.js";
import { ageColumn, type Cell, type ColumnOf, columns, flag, integer, name, text } from "./column.js";

export const podDisruptionBudgetColumns: readonly PrinterColumn[] = columns<PodDisruptionBudget>(
  name,
  text("Min Available", "How many pods must stay.", (budget) => budget.spec?.minAvailable?.toString() ?? "N/A"),
  text("Max Unavailable", "How many pods may be away.", (budget) => budget.spec?.maxUnavailable?.toString() ?? "N/A"),
  integer("Allowed Disruptions", "How many may go now.", (budget) => budget.status?.disruptionsAllowed ?? 0),
  ageColumn,
);

export const priorityClassColumns: readonly PrinterColumn[] = columns<PriorityClass>(
  name,
  integer("Value", "The priority.", (priority) => priority.value ?? 0),
  flag("Global-Default", "Whether pods get it that name none.", (priority) => priority.globalDefault ?? false),
  ageColumn,
  text("PreemptionPolicy", "Whether its pods push others away.", (priority) => priority.preemptionPolicy ?? ""),
);

export const webhookColumns: readonly PrinterColumn[] = columns<
  MutatingWebhookConfiguration | ValidatingWebhookConfiguration
>(
  name,
  integer("Webhooks", "How many webhooks it has.", (configuration) => configuration.webhooks?.length ?? 0),
  ageColumn,
);

function paramKind(kind: { readonly apiVersion?: string; readonly kind?: string } | undefined): string {
  return kind === undefined ? "<unset>" : `${kind.apiVersion ?? ""}/${kind.kind ?? ""}`;
}

export const validatingAdmissionPolicyColumns: readonly PrinterColumn[] = columns<ValidatingAdmissionPolicy>(
  name,
  integer("Validations", "How many validations it has.", (policy) => policy.spec?.validations?.length ?? 0),
  text("ParamKind", "The kind of its parameters.", (policy) => paramKind(policy.spec?.paramKind)),
  ageColumn,
);

export const mutatingAdmissionPolicyColumns: readonly PrinterColumn[] = columns<MutatingAdmissionPolicy>(
  name,
  integer("Mutations", "How many mutations it has.", (policy) => policy.spec?.mutations?.length ?? 0),
  text("ParamKind", "The kind of its parameters.", (policy) => paramKind(policy.spec?.paramKind)),
  ageColumn,
);

/** A selector as upstream's type writes itself. */
function goSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.entries(matchLabels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = matchExpressions.map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(" ")}],},`,
  );
  const requirements = `[]LabelSelectorRequirement{${expressions.join("")}}`;
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join("")}},MatchExpressions:${requirements},}`;
}

type PolicyBinding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

const paramRef: ColumnOf<PolicyBinding> = text("ParamRef", "Its parameters.", (binding) => {
  const reference = binding.spec?.paramRef;
  // Without a namespace they may be in any: whether their kind has namespaces is not known here.
  if (reference?.name) return `${reference.namespace || "*"}/${reference.name}`;
  return reference?.selector === undefined ? "<unset>" : goSelector(reference.selector);
});

export const policyBindingColumns: readonly PrinterColumn[] = columns<PolicyBinding>(
  name,
  text("PolicyName", "The policy that is bound.", (binding) => binding.spec?.policyName ?? ""),
  paramRef,
  ageColumn,
);

export const flowSchemaColumns: readonly PrinterColumn[] = columns<FlowSchema>(
  name,
  text("PriorityLevel", "Where its requests queue.", (schema) => schema.spec?.priorityLevelConfiguration.name ?? ""),
  text("MatchingPrecedence", "The lowest that matches wins.", (schema) => schema.spec?.matchingPrecedence ?? 0),
  text("DistinguisherMethod", "What makes one flow.", (schema) => schema.spec?.distinguisherMethod?.type ?? "<none>"),
  ageColumn,
  text(
    "MissingPL",
    "Whether its priority level is missing.",
    (schema) => schema.status?.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?",
  ),
);

function queuing(level: PriorityLevelConfiguration, field: "queues" | "handSize" | "queueLengthLimit"): Cell {
  return level.spec?.limited?.limitResponse?.queuing?.[field] ?? "<none>";
}

export const priorityLevelColumns: readonly PrinterColumn[] = columns<PriorityLevelConfiguration>(
  name,
  text("Type", "Limited or Exempt.", (level) => level.spec?.type ?? ""),
  text(
    "NominalConcurrencyShares",
    "Its share of the server.",
    ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? "<none>",
  ),
  text("Queues", "How many queues.", (level) => queuing(level, "queues")),
  text("HandSize", "How many of them one flow uses.", (level) => queuing(level, "handSize")),
  text("QueueLengthLimit", "How long a queue may be.", (level) => queuing(level, "queueLengthLimit")),
  ageColumn,
);

export const apiServiceColumns: readonly PrinterColumn[] = columns<APIService>(
  name,
  text("Service", "Who serves the group version.", ({ spec }) =>
    spec?.service === undefined ? "Local" : `${spec.service.namespace ?? ""}/${spec.service.name ?? ""}`,
  ),
  text("Available", "Whether it is served.", ({ status }) => {
    const condition = status?.conditions?.find(({ type }) => type === "Available");
    if (condition === undefined) return "Unknown";
    return condition.status === "True" ? "True" : `${condition.status} (${condition.reason ?? ""})`;
  }),
  ageColumn,
);
