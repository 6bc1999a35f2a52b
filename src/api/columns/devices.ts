import type { PrinterColumn } from "../description.js";
import type { ResourceClaim, ResourceSlice } from "../gen/types.js";
import { ageColumn, columns, name, text } from "./column.js";

function claimState(claim: ResourceClaim): string {
  const states: string[] = [];
  const deleted = claim.metadata.deletionTimestamp !== undefined;
  if (deleted) states.push("deleted");
  if (claim.status?.allocation !== undefined) {
    states.push("allocated");
    if ((claim.status.reservedFor ?? []).length > 0) states.push("reserved");
  } else if (!deleted) states.push("pending");
  return states.join(",");
}

export const resourceClaimColumns: readonly PrinterColumn[] = columns<ResourceClaim>(
  name,
  text("State", "How far the claim is.", claimState),
  ageColumn,
);

export const resourceSliceColumns: readonly PrinterColumn[] = columns<ResourceSlice>(
  name,
  text("Node", "The node that the devices are on.", (slice) => slice.spec.nodeName ?? ""),
  text("Driver", "The driver of the devices.", (slice) => slice.spec.driver),
  text("Pool", "The pool that they are of.", (slice) => slice.spec.pool.name),
  ageColumn,
);

/** Kinds of which only name and age are shown. */
export const nameAndAgeColumns: readonly PrinterColumn[] = columns<ResourceClaim>(name, ageColumn);
