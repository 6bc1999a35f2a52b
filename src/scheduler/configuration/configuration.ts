import { parse, YAMLParseError } from "yaml";
import { ConfigurationError, refuse, type Shape, shapeErrors, withoutNulls } from "../../api/configuration-shape.js";
import { parseDurationMs } from "../../api/duration.js";
import { duplicate, type FieldError, invalid } from "../../api/field-error.js";
import type { Extender } from "../extender/extender.js";
import { defaultSchedulerName, type SchedulerProfile } from "../profile.js";
import {
  type ExtenderConfiguration,
  extenderErrors,
  extenderOf,
  extenderShape,
  ignoredResources,
} from "./extenders.js";
import {
  type PolicyFactory,
  type ProfileConfiguration,
  type ProfileSurroundings,
  profileErrors,
  profileOf,
  profileShape,
} from "./profile.js";

/** What a KubeSchedulerConfiguration says that this scheduler heeds; made for `createScheduler`. */
export interface SchedulerConfiguration {
  readonly profiles: readonly SchedulerProfile[];
  readonly extenders?: readonly Extender[];
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly leaderElect?: boolean;
  /** What the configuration says of the election, in the words of a LeaderElector. */
  readonly leaderElection?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly leaseDurationMs?: number;
    readonly renewDeadlineMs?: number;
    readonly retryPeriodMs?: number;
  };
  /** The path of `clientConnection.kubeconfig`. */
  readonly kubeconfig?: string;
}

export interface ReadConfigurationOptions {
  /** Gives the text of certificates and keys that extenders name by path; absent: such names are refused. */
  readonly readFile?: (path: string) => string;
}

const shape: Shape = {
  fields: {
    apiVersion: "string",
    kind: "string",
    parallelism: "integer",
    leaderElection: {
      fields: {
        leaderElect: "boolean",
        leaseDuration: "duration",
        renewDeadline: "duration",
        retryPeriod: "duration",
        resourceLock: "string",
        resourceName: "string",
        resourceNamespace: "string",
      },
    },
    clientConnection: {
      fields: {
        kubeconfig: "string",
        acceptContentTypes: "string",
        contentType: "string",
        qps: "any",
        burst: "integer",
      },
    },
    enableProfiling: "boolean",
    enableContentionProfiling: "boolean",
    percentageOfNodesToScore: "integer",
    podInitialBackoffSeconds: "integer",
    podMaxBackoffSeconds: "integer",
    delayCacheUntilActive: "boolean",
    profiles: { list: profileShape },
    extenders: { list: extenderShape },
  },
};

/** Of that shape. */
interface Configuration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly parallelism?: number;
  readonly leaderElection?: {
    readonly leaderElect?: boolean;
    readonly leaseDuration?: string;
    readonly renewDeadline?: string;
    readonly retryPeriod?: string;
    readonly resourceLock?: string;
    readonly resourceName?: string;
    readonly resourceNamespace?: string;
  };
  readonly clientConnection?: { readonly kubeconfig?: string };
  readonly percentageOfNodesToScore?: number;
  readonly podInitialBackoffSeconds?: number;
  readonly podMaxBackoffSeconds?: number;
  readonly profiles?: readonly ProfileConfiguration[];
  readonly extenders?: readonly ExtenderConfiguration[];
}

/**
 * Reads upstream's `kubescheduler.config.k8s.io/v1` YAML or JSON, as strictly as upstream does. `custom` adds policies that it may
 * name. Throws ConfigurationError, which says everything that is wrong.
 */
export function readConfiguration(
  text: string,
  custom: Readonly<Record<string, PolicyFactory>> = {},
  options: ReadConfigurationOptions = {},
): SchedulerConfiguration {
  const document = parsed(text);
  const { profiles: given = [], extenders = [], percentageOfNodesToScore } = document;
  const profiles = given.length > 0 ? given : [{}];
  const surroundings: ProfileSurroundings = {
    custom: new Map(Object.entries(custom)),
    percentageOfNodesToScore,
    ignoredResources: ignoredResources(extenders),
  };
  refuse([
    ...electionErrors(document),
    ...generalErrors(document),
    ...profiles.flatMap((profile, index) => profileErrors(profile, `profiles[${index}]`, surroundings)),
    ...nameErrors(profiles),
    ...extenderErrors(extenders),
  ]);
  const readFile =
    options.readFile ??
    ((path: string): never => {
      throw new ConfigurationError(`extenders: the file ${path} cannot be read here`);
    });
  const { podInitialBackoffSeconds: initial, podMaxBackoffSeconds: max, leaderElection, clientConnection } = document;
  return {
    profiles: profiles.map((profile) => profileOf(profile, surroundings)),
    ...(extenders.length === 0 ? {} : { extenders: extenders.map((extender) => extenderOf(extender, readFile)) }),
    ...(initial === undefined ? {} : { initialBackoffMs: initial * 1000 }),
    ...(max === undefined ? {} : { maxBackoffMs: max * 1000 }),
    ...(leaderElection?.leaderElect === undefined ? {} : { leaderElect: leaderElection.leaderElect }),
    ...(leaderElection === undefined ? {} : { leaderElection: electionOf(leaderElection) }),
    ...(clientConnection?.kubeconfig ? { kubeconfig: clientConnection.kubeconfig } : {}),
  };
}

/** In the right shape. */
function parsed(text: string): Configuration {
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof YAMLParseError) throw new ConfigurationError(error.message, { cause: error });
    throw error;
  }
  const { apiVersion, kind } = (typeof document === "object" && document !== null ? document : {}) as Configuration;
  if (kind !== "KubeSchedulerConfiguration" || apiVersion !== "kubescheduler.config.k8s.io/v1") {
    throw new ConfigurationError("want apiVersion kubescheduler.config.k8s.io/v1, kind KubeSchedulerConfiguration");
  }
  refuse(shapeErrors(document, shape, ""));
  return withoutNulls(document) as Configuration;
}

function generalErrors(document: Configuration): readonly FieldError[] {
  const {
    parallelism = 16,
    percentageOfNodesToScore: share = 0,
    podInitialBackoffSeconds: initial = 1,
    podMaxBackoffSeconds: max = 10,
  } = document;
  return [
    ...(parallelism <= 0 ? [invalid("parallelism", parallelism, "should be an integer value greater than zero")] : []),
    ...(share < 0 || share > 100 ? [invalid("percentageOfNodesToScore", share, "not in valid range [0-100]")] : []),
    ...(initial <= 0 ? [invalid("podInitialBackoffSeconds", initial, "must be greater than 0")] : []),
    ...(max < initial
      ? [invalid("podMaxBackoffSeconds", max, "must be greater than or equal to PodInitialBackoffSeconds")]
      : []),
  ];
}

function nameErrors(profiles: readonly ProfileConfiguration[]): readonly FieldError[] {
  const names = profiles.map(({ schedulerName = defaultSchedulerName }) => schedulerName);
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [duplicate(`profiles[${index}].schedulerName`, `profiles[${names.indexOf(name)}].schedulerName`)]
      : [],
  );
}

function electionErrors({ leaderElection }: Configuration): readonly FieldError[] {
  if (leaderElection === undefined || leaderElection.leaderElect === false) return [];
  const { leaseDuration = "15s", renewDeadline = "10s", retryPeriod = "2s", resourceLock = "leases" } = leaderElection;
  const [lease, renew, retry] = [leaseDuration, renewDeadline, retryPeriod].map(parseDurationMs) as [
    number,
    number,
    number,
  ];
  return [
    ...(lease <= 0 ? [invalid("leaderElection.leaseDuration", leaseDuration, "must be greater than zero")] : []),
    ...(renew <= 0 ? [invalid("leaderElection.renewDeadline", renewDeadline, "must be greater than zero")] : []),
    ...(retry <= 0 ? [invalid("leaderElection.retryPeriod", retryPeriod, "must be greater than zero")] : []),
    ...(lease <= renew
      ? [invalid("leaderElection.leaseDuration", renewDeadline, "LeaseDuration must be greater than RenewDeadline")]
      : []),
    ...(renew <= retry
      ? [invalid("leaderElection.renewDeadline", retryPeriod, "RenewDeadline must be greater than RetryPeriod")]
      : []),
    ...(resourceLock === "leases"
      ? []
      : [invalid("leaderElection.resourceLock", resourceLock, 'resourceLock value must be "leases"')]),
  ];
}

function electionOf(
  election: NonNullable<Configuration["leaderElection"]>,
): NonNullable<SchedulerConfiguration["leaderElection"]> {
  const { resourceName, resourceNamespace, leaseDuration, renewDeadline, retryPeriod } = election;
  return {
    ...(resourceName ? { name: resourceName } : {}),
    ...(resourceNamespace ? { namespace: resourceNamespace } : {}),
    ...(leaseDuration ? { leaseDurationMs: parseDurationMs(leaseDuration) } : {}),
    ...(renewDeadline ? { renewDeadlineMs: parseDurationMs(renewDeadline) } : {}),
    ...(retryPeriod ? { retryPeriodMs: parseDurationMs(retryPeriod) } : {}),
  };
}
