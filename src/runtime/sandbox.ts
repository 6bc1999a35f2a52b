/** Whose namespace a sandbox or a container uses (CRI NamespaceMode). */
export type NamespaceMode = "pod" | "container" | "node" | "target";

export interface NamespaceOptions {
  /** `node` is hostNetwork. */
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  /** With pid `target`: the container whose processes are shared. */
  readonly targetId?: string | undefined;
}

export interface PortMapping {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp?: string | undefined;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** How many sandboxes of this pod came before. */
  readonly attempt: number;
}

/** Strings by name, as labels are. */
export type StringMap = Readonly<Record<string, string>>;

/** Of seccomp or AppArmor. */
export interface SecurityProfile {
  readonly type: "RuntimeDefault" | "Unconfined" | "Localhost";
  readonly localhostRef?: string | undefined;
}

export interface SandboxSecurity {
  readonly namespaces: NamespaceOptions;
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly supplementalGroups?: readonly number[] | undefined;
  /** `Strict`: without the groups that the image gives the user. Default `Merge`. */
  readonly supplementalGroupsPolicy?: "Merge" | "Strict" | undefined;
  readonly privileged?: boolean | undefined;
  readonly seccomp?: SecurityProfile | undefined;
}

export interface PodSandboxConfig {
  readonly metadata: SandboxMetadata;
  /** Empty where the pod uses the host's network. */
  readonly hostname: string;
  /** Folder on the host under which the pod's containers have their log files; undefined: no logs are kept. */
  readonly logDirectory?: string | undefined;
  readonly dns?: DnsConfig | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly labels: StringMap;
  readonly annotations: StringMap;
  readonly cgroupParent?: string | undefined;
  readonly sysctls?: StringMap | undefined;
  readonly security: SandboxSecurity;
  /** Of the RuntimeClass; empty or absent is the default handler. */
  readonly runtimeHandler?: string | undefined;
}

export type SandboxState = "ready" | "notready";

export interface PodSandbox {
  readonly id: string;
  readonly metadata: SandboxMetadata;
  readonly state: SandboxState;
  readonly createdAtMs: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

export interface PodSandboxStatus extends PodSandbox {
  /** First the primary one; empty for host network, and before the network is set up. */
  readonly ips: readonly string[];
  readonly networkMode: NamespaceMode;
}

export interface SandboxFilter {
  readonly id?: string | undefined;
  readonly state?: SandboxState | undefined;
  readonly labels?: StringMap | undefined;
}
