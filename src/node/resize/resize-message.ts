import type { Pod } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import { noResources } from "./pod-resources.js";

/** The text of an event about a resize, as upstream writes it: what happens, and the resources that it is about. */
export function resizeMessage(what: string, pod: Pod, error?: string): string {
  const { initContainers = [], containers } = specOf(pod);
  const list = (of: typeof containers): object[] =>
    of.map(({ name, resources = noResources }) => ({
      name,
      resources: {
        ...(resources.limits === undefined ? {} : { limits: inOrder(resources.limits) }),
        ...(resources.requests === undefined ? {} : { requests: inOrder(resources.requests) }),
      },
    }));
  const summary = {
    ...(initContainers.length === 0 ? {} : { initContainers: list(initContainers) }),
    containers: list(containers),
    generation: pod.metadata.generation ?? 0,
    ...(error === undefined ? {} : { error }),
  };
  return `Pod resize ${what}: ${JSON.stringify(summary)}`;
}

function inOrder(amounts: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(amounts).sort(([a], [b]) => (a < b ? -1 : 1)));
}
