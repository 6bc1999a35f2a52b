import type { ContainerResources } from "./container.js";

/** Resources after an update: what it leaves 0 or absent stays. */
export function updated(resources: ContainerResources, update: ContainerResources): ContainerResources {
  return { ...resources, ...Object.fromEntries(Object.entries(update).filter(([, value]) => value)) };
}
