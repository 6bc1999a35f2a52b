/** Where a group-version stands among others: more comes first. */
export interface Priority {
  readonly group: number;
  readonly version: number;
}

/** The groupPriorityMinimum of upstream's own groups: what comes first wins where two groups have a resource of one name. */
const groups: ReadonlyMap<string, number> = new Map([
  ["", 18000],
  ["apiregistration.k8s.io", 18000],
  ["apps", 17800],
  ["events.k8s.io", 17750],
  ["authentication.k8s.io", 17700],
  ["authorization.k8s.io", 17600],
  ["autoscaling", 17500],
  ["batch", 17400],
  ["certificates.k8s.io", 17300],
  ["networking.k8s.io", 17200],
  ["policy", 17100],
  ["rbac.authorization.k8s.io", 17000],
  ["storage.k8s.io", 16800],
  ["apiextensions.k8s.io", 16700],
  ["admissionregistration.k8s.io", 16700],
  ["scheduling.k8s.io", 16600],
  ["coordination.k8s.io", 16500],
  ["node.k8s.io", 16300],
  ["discovery.k8s.io", 16200],
  ["flowcontrol.apiserver.k8s.io", 16100],
  ["internal.apiserver.k8s.io", 16000],
  ["resource.k8s.io", 15900],
  ["storagemigration.k8s.io", 15800],
]);

/** The versionPriority of upstream's versions where it is not 15. */
const versions: ReadonlyMap<string, number> = new Map([
  ["/v1", 1],
  ["autoscaling/v2", 30],
  ["flowcontrol.apiserver.k8s.io/v1", 21],
  ["resource.k8s.io/v1", 20],
]);

const stablePriority = 15;

/** That of every group-version of custom resources: among themselves they are ordered by what their versions are called. */
export const customPriority: Priority = { group: 1000, version: 100 };

/** undefined: no group of upstream's. */
export function builtinPriority(group: string, version: string): Priority | undefined {
  const ofGroup = groups.get(group);
  if (ofGroup === undefined) return undefined;
  return { group: ofGroup, version: versions.get(`${group}/${version}`) ?? stablePriority };
}
