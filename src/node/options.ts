import type { NodeAddress, Service, Taint } from "../api/index.js";
import type { Client, EventRecorder, Informer } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import type { Runtime } from "../runtime/index.js";
import type { EvictionOptions } from "./eviction/thresholds.js";
import type { NodeUsageSource } from "./eviction/usage.js";
import type { ImageCollectionOptions } from "./images/image-collector.js";
import type { LogRotationOptions } from "./log-rotation.js";
import type { PodSource } from "./pod-source.js";
import type { Prober } from "./probes/prober.js";
import type { PodCgroups } from "./resize/pod-cgroups.js";
import type { NodeServerOptions } from "./server/options.js";

export interface NodeAgentOptions {
  readonly client: Client;
  /** Not disposed by the agent: pods go on while no agent runs. */
  readonly runtime: Runtime;
  readonly nodeName: string;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  /**
   * Folder for volumes and logs. Absent: the node is hollow, it keeps nothing on disk and makes no connection, so that hundreds fit into
   * a process: volumes count as mounted, network probes as passed.
   */
  readonly rootDir?: string | undefined;
  /** Folder of containers' logs. Default `<rootDir>/logs`. */
  readonly logRoot?: string | undefined;
  /** Absent: a watch of its own on this node's pods. */
  readonly podSource?: PodSource | undefined;
  /** For the variables by which containers find Services; absent: a watch of its own, none on a hollow node. */
  readonly services?: Informer<Service> | undefined;
  /** Absent: events go to the API. Give `discardEvents` for none. */
  readonly events?: EventRecorder | undefined;
  /** Capacity; default 4 CPUs, 8 GiB, 110 pods. Real nodes give the host's. */
  readonly resources?: Readonly<Record<string, string>> | undefined;
  /** What of it pods may use. Default: all. */
  readonly allocatable?: Readonly<Record<string, string>> | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly taints?: readonly Taint[] | undefined;
  /** Absent: InternalIP 127.0.0.1 and the Hostname. The first InternalIP's family is the one that pods' addresses begin with. */
  readonly addresses?: readonly NodeAddress[] | undefined;
  /**
   * Written into the Node when it is first registered; absent: a controller assigns one. One block, or one of each family with a comma
   * between them.
   */
  readonly podCidr?: string | undefined;
  /** Name servers of pods with dnsPolicy ClusterFirst. Absent: they get the node's own, and an event that says so. */
  readonly clusterDns?: readonly string[] | undefined;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string | undefined;
  /** What the node's own resolver is told, which pods get with dnsPolicy Default. Default `/etc/resolv.conf`. */
  readonly resolvConf?: string | undefined;
  /** Parent control group of all pods, such as `/kubepods`; absent: the runtime decides. */
  readonly cgroupRoot?: string | undefined;
  /**
   * Whether emptyDirs of medium Memory, Secrets and tokens are mounted as tmpfs. Default: when this process is root. Without, they are
   * folders like all others.
   */
  readonly memoryVolumes?: boolean | undefined;
  /** Kernel parameters beyond the safe ones that pods may set here: names, or beginnings of names with a `*`, such as `net.core.*`. */
  readonly allowedUnsafeSysctls?: readonly string[] | undefined;
  /** Whether device plugins can make themselves known below `rootDir`. Default: when this process is root. */
  readonly devicePlugins?: boolean | undefined;
  /** What sets the control groups of pods, below `cgroupRoot`. Absent: the host's. */
  readonly podCgroups?: PodCgroups | undefined;
  /** Absent: no HTTP server. */
  readonly server?: NodeServerOptions | undefined;
  /** Folder of manifests of static pods. */
  readonly staticPodDir?: string | undefined;
  /** Default: 10 MiB, 5 files. */
  readonly logRotation?: LogRotationOptions | undefined;
  /** When pods are evicted for pressure; default: as upstream. Without effect where nobody knows what the node uses. */
  readonly eviction?: EvictionOptions | undefined;
  /** When images that nobody uses are removed; default: as upstream. The same holds. */
  readonly imageCollection?: ImageCollectionOptions | undefined;
  /** What the node and its pods use. Absent: the host's figures; on a hollow node nobody knows. */
  readonly usage?: NodeUsageSource | undefined;
  readonly prober?: Prober | undefined;
  /** Seconds a Lease is good for; renewed at a quarter of it. Default 40. */
  readonly leaseDurationSeconds?: number | undefined;
  /** How often the status is computed; it is written when it differs, and every five minutes. Default 10,000. */
  readonly statusIntervalMs?: number | undefined;
}
