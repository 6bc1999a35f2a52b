import { duplicate, type FieldError, forbidden, invalid, notSupported } from "../../field-error.js";
import type { Container, ContainerStatus, Pod, PodSpec } from "../../gen/types.js";
import { checkImmutable, checkQualifiedName, checkRange, checkSubdomain, type Errors } from "../checks.js";
import { checkIp, ipFamily } from "../ip.js";
import type { Loose } from "../loose.js";

const maxId = 2147483647;
const systemConditions: ReadonlySet<string> = new Set(["PodScheduled", "Ready", "Initialized"]);

export function validatePodStatusUpdate(pod: Loose<Pod>, old: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  const status = pod.status ?? {};
  const before = old.status ?? {};
  status.conditions?.forEach(({ type = "" }, index) => {
    // The path is upstream's.
    if (!systemConditions.has(type)) checkQualifiedName(errors, `metadata.conditions[${index}].Type`, type);
  });
  if ((pod.spec?.nodeName ?? "") !== (old.spec?.nodeName ?? "")) {
    errors.push(forbidden("status.nodeName", "may not be changed directly"));
  }
  const { nominatedNodeName } = status;
  if (nominatedNodeName && nominatedNodeName !== before.nominatedNodeName) {
    checkSubdomain(errors, "status.nominatedNodeName", nominatedNodeName);
  }
  checkImmutable(errors, "status.qosClass", status.qosClass ?? "", before.qosClass ?? "");
  const { restartPolicy = "Always" } = old.spec ?? {};
  checkStates(errors, "containerStatuses", pod, old, restartPolicy, old.spec?.containers);
  checkStates(errors, "initContainerStatuses", pod, old, restartPolicy, old.spec?.initContainers);
  // What was added to look into a pod never runs twice.
  checkStates(errors, "ephemeralContainerStatuses", pod, old, "Never");
  checkClaimStatuses(errors, "status.resourceClaimStatuses", pod);
  checkAddresses(errors, "status.podIPs", status.podIPs ?? []);
  const [host] = status.hostIPs ?? [];
  if (host !== undefined && status.hostIP !== host.ip) {
    errors.push(invalid("status.hostIPs[0].ip", host.ip ?? "", "must be equal to `hostIP`"));
  }
  checkAddresses(errors, "status.hostIPs", status.hostIPs ?? []);
  for (const kind of ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] as const) {
    checkUsers(errors, `status.${kind}`, status[kind] ?? [], pod.spec?.os?.name ?? "linux");
  }
  checkDevices(errors, "status.containerStatuses", status.containerStatuses ?? [], pod.spec?.containers ?? []);
  checkDevices(errors, "status.initContainerStatuses", status.initContainerStatuses ?? [], initOf(pod.spec));
  status.ephemeralContainerStatuses?.forEach(({ allocatedResourcesStatus = [] }, index) => {
    if (allocatedResourcesStatus.length === 0) return;
    const at = `status.ephemeralContainerStatuses[${index}].allocatedResourcesStatus`;
    errors.push(forbidden(at, "must not be specified in container status"));
  });
  return errors;
}

function initOf(spec: Loose<PodSpec> | undefined): readonly Loose<Container>[] {
  return spec?.initContainers ?? [];
}

/** What has ended for good may not run again. The index is the one among the old statuses, as upstream counts. */
function checkStates(
  errors: Errors,
  kind: "containerStatuses" | "initContainerStatuses" | "ephemeralContainerStatuses",
  pod: Loose<Pod>,
  old: Loose<Pod>,
  podPolicy: string,
  containers: readonly Loose<Container>[] = [],
): void {
  if (podPolicy === "Always") return;
  old.status?.[kind]?.forEach((before, index) => {
    const ended = before.state?.terminated;
    if (ended === undefined) return;
    const container = containers.find(({ name }) => name === before.name);
    if (mayRestart(container, podPolicy, ended.exitCode ?? 0)) return;
    for (const now of pod.status?.[kind] ?? []) {
      if (now.name !== before.name || now.state?.terminated !== undefined) continue;
      errors.push(forbidden(`status.${kind}[${index}].state`, "may not be transitioned to non-terminated state"));
    }
  });
}

/** A container may have a policy, and rules, of its own. */
function mayRestart(container: Loose<Container> | undefined, podPolicy: string, exitCode: number): boolean {
  for (const { action, exitCodes } of container?.restartPolicyRules ?? []) {
    const listed = exitCodes?.values?.includes(exitCode) === true;
    const matches = exitCodes?.operator === "In" ? listed : exitCodes?.operator === "NotIn" && !listed;
    if (matches && (action === "Restart" || action === "RestartAllContainers")) return true;
  }
  const policy = container?.restartPolicy ?? podPolicy;
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

function checkClaimStatuses(errors: Errors, path: string, pod: Loose<Pod>): void {
  const claims = new Set((pod.spec?.resourceClaims ?? []).map(({ name }) => name));
  const seen = new Set<string>();
  pod.status?.resourceClaimStatuses?.forEach(({ name = "", resourceClaimName }, index) => {
    const at = `${path}[${index}].name`;
    if (!claims.has(name)) {
      errors.push(invalid(at, name, "must match the name of an entry in `spec.resourceClaims`"));
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    if (resourceClaimName !== undefined) checkSubdomain(errors, at, resourceClaimName);
  });
}

/** At most one of each family. */
function checkAddresses(
  errors: Errors,
  path: string,
  addresses: readonly { readonly ip?: string | undefined }[],
): void {
  addresses.forEach(({ ip = "" }, index) => {
    checkIp(errors, `${path}[${index}]`, ip);
  });
  if (addresses.length < 2) return;
  const families = new Set(addresses.map(({ ip = "" }) => ipFamily(ip)));
  if (addresses.length > 2 || families.size < 2) {
    errors.push(invalid(path, addresses, "may specify no more than one IP for each IP family"));
  }
  addresses.forEach((address, index) => {
    if (addresses.findIndex(({ ip }) => ip === address.ip) < index)
      errors.push(duplicate(`${path}[${index}]`, address));
  });
}

function checkUsers(errors: Errors, path: string, statuses: readonly Loose<ContainerStatus>[], os: string): void {
  statuses.forEach(({ user }, index) => {
    const linux = user?.linux;
    if (linux === undefined) return;
    const at = `${path}[${index}].linux`;
    if (os === "windows") {
      errors.push(forbidden(at, "cannot be set for a windows pod"));
      return;
    }
    checkRange(errors, `${at}.uid`, linux.uid, 0, maxId);
    checkRange(errors, `${at}.gid`, linux.gid, 0, maxId);
    linux.supplementalGroups?.forEach((group, position) => {
      checkRange(errors, `${at}.supplementalGroups[${position}]`, group, 0, maxId);
    });
  });
}

const healthStates = ["Healthy", "Unhealthy", "Unknown"];

function checkDevices(
  errors: Errors,
  path: string,
  statuses: readonly Loose<ContainerStatus>[],
  containers: readonly Loose<Container>[],
): void {
  statuses.forEach(({ name, allocatedResourcesStatus = [] }, index) => {
    const container = containers.find((candidate) => candidate.name === name);
    allocatedResourcesStatus.forEach((allocated, position) => {
      const at = `${path}[${index}].allocatedResourcesStatus[${position}]`;
      const why = container && deviceNameError(container, allocated.name ?? "");
      if (why !== undefined) errors.push(invalid(`${at}.name`, allocated.name ?? "", why));
      const seen = new Set<string>();
      allocated.resources?.forEach(({ health = "", resourceID = "" }, place) => {
        const where = `${at}.resources[${place}]`;
        if (!healthStates.includes(health)) errors.push(notSupported(`${where}.health`, health, healthStates));
        if (seen.has(resourceID)) errors.push(duplicate(`${where}.resourceID`, resourceID));
        seen.add(resourceID);
      });
    });
  });
}

/** What is told of must be what the container asked for. */
function deviceNameError(container: Loose<Container>, name: string): string | undefined {
  if (name.startsWith("claim:")) {
    const claims = (container.resources?.claims ?? []).map((claim) =>
      claim.request ? `claim:${claim.name}/${claim.request}` : `claim:${claim.name}`,
    );
    return claims.includes(name)
      ? undefined
      : "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
  }
  return Object.hasOwn(container.resources?.requests ?? {}, name)
    ? undefined
    : "must match one of the container's resource requests";
}
