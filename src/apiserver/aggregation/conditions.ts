import type { APIService } from "../../api/index.js";

/** What is said of the way to the server of an APIService. */
export interface Availability {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

export const localAvailability: Availability = {
  status: "True",
  reason: "Local",
  message: "Local APIServices are always available",
};

/** The APIService with that said of it; itself where it is said already. The time is of the last change from one status to another. */
export function withAvailability(service: APIService, wanted: Availability, now: string): APIService {
  const conditions = service.status?.conditions ?? [];
  const old = conditions.find(({ type }) => type === "Available");
  const { status, reason, message } = wanted;
  if (old?.status === status && old.reason === reason && old.message === message) return service;
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
  const next = { type: "Available", status, lastTransitionTime, reason, message };
  const kept = conditions.filter(({ type }) => type !== "Available");
  return { ...service, status: { ...service.status, conditions: [...kept, next] } };
}
