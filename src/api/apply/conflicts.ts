import { type StatusCause, type StatusError, statusErrors } from "../status.js";
import { type FieldsV1, intersectFields, memberPaths, pathText } from "./fields-v1.js";
import type { ManagerFields, Managers } from "./managers.js";

/** A field that an apply would change and another manager has. */
export interface Conflict {
  readonly manager: ManagerFields;
  readonly path: readonly string[];
}

/** By manager, then by path. */
export function findConflicts(managers: Managers, self: string, changed: FieldsV1): readonly Conflict[] {
  const conflicts: Conflict[] = [];
  for (const [id, manager] of [...managers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (id === self) continue;
    for (const path of memberPaths(intersectFields(manager.fields, changed))) conflicts.push({ manager, path });
  }
  return conflicts;
}

/** The 409 that clients see, with one cause for each conflict. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes = conflicts.map(
    ({ manager, path }): StatusCause => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${managerText(manager)}`,
      field: pathText(path),
    }),
  );
  return statusErrors.applyConflict(conflictMessage(conflicts), causes);
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${managerText(first.manager)}: ${pathText(first.path)}`;
  }
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const text = managerText(manager);
    byManager.set(text, [...(byManager.get(text) ?? []), `- ${pathText(path)}`]);
  }
  const lines = [...byManager].flatMap(([manager, paths]) => [`conflicts with ${manager}:`, ...paths]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join("\n")}`;
}

function managerText({ manager, operation, apiVersion, subresource }: ManagerFields): string {
  const name = JSON.stringify(manager) + (subresource === "" ? "" : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === "Update" ? `${name} using ${apiVersion}` : name;
}
