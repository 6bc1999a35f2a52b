import { type Definition, definitionOf, type Services } from "../../internal/protobuf-definition.js";

/**
 * The part of the Container Runtime Interface v1 (package runtime.v1) that is used here, in a form of our own: a message is a name and
 * its fields, a field is `name:type=number`, where no type is string, `[]` before it is repeated, and `map` is
 * map<string, string>. Numbers are CRI's; unknown fields are skipped by both sides.
 */
const messages = `
Empty
VersionRequest version=1
VersionResponse version=1 runtimeName=2 runtimeVersion=3 runtimeApiVersion=4
StatusRequest verbose:bool=1
StatusResponse status:RuntimeStatus=1 info:map=2 runtimeHandlers:[]RuntimeHandler=3 features:RuntimeFeatures=4
RuntimeHandler name=1 features:RuntimeHandlerFeatures=2
RuntimeHandlerFeatures recursiveReadOnlyMounts:bool=1
RuntimeFeatures supplementalGroupsPolicy:bool=1
RuntimeStatus conditions:[]RuntimeCondition=1
RuntimeCondition type=1 status:bool=2 reason=3 message=4
UpdateRuntimeConfigRequest runtimeConfig:RuntimeConfig=1
RuntimeConfig networkConfig:NetworkConfig=1
NetworkConfig podCidr=1
Int64Value value:int64=1
UInt64Value value:uint64=1
NamespaceOption network:NamespaceMode=1 pid:NamespaceMode=2 ipc:NamespaceMode=3 targetId=4
SecurityProfile profileType:ProfileType=1 localhostRef=2
PodSandboxMetadata name=1 uid=2 namespace=3 attempt:uint32=4
DNSConfig servers:[]string=1 searches:[]string=2 options:[]string=3
PortMapping protocol:Protocol=1 containerPort:int32=2 hostPort:int32=3 hostIp=4
LinuxSandboxSecurityContext namespaceOptions:NamespaceOption=1 runAsUser:Int64Value=3 readonlyRootfs:bool=4 supplementalGroups:[]int64=5 privileged:bool=6 runAsGroup:Int64Value=8 seccomp:SecurityProfile=9 supplementalGroupsPolicy:SupplementalGroupsPolicy=11
LinuxPodSandboxConfig cgroupParent=1 securityContext:LinuxSandboxSecurityContext=2 sysctls:map=3
PodSandboxConfig metadata:PodSandboxMetadata=1 hostname=2 logDirectory=3 dnsConfig:DNSConfig=4 portMappings:[]PortMapping=5 labels:map=6 annotations:map=7 linux:LinuxPodSandboxConfig=8
RunPodSandboxRequest config:PodSandboxConfig=1 runtimeHandler=2
RunPodSandboxResponse podSandboxId=1
SandboxRequest podSandboxId=1
PodSandboxStatusRequest podSandboxId=1 verbose:bool=2
PodSandboxStatusResponse status:PodSandboxStatus=1 info:map=2
PodSandboxStatus id=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3 createdAt:int64=4 network:PodSandboxNetworkStatus=5 linux:LinuxPodSandboxStatus=6 labels:map=7 annotations:map=8
PodSandboxNetworkStatus ip=1 additionalIps:[]PodIP=2
PodIP ip=1
LinuxPodSandboxStatus namespaces:Namespace=1
Namespace options:NamespaceOption=2
PodSandboxStateValue state:PodSandboxState=1
PodSandboxFilter id=1 state:PodSandboxStateValue=2 labelSelector:map=3
ListPodSandboxRequest filter:PodSandboxFilter=1
ListPodSandboxResponse items:[]PodSandbox=1
PodSandbox id=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3 createdAt:int64=4 labels:map=5 annotations:map=6
ContainerMetadata name=1 attempt:uint32=2
ImageSpec image=1 annotations:map=2 userSpecifiedImage=18 runtimeHandler=19 imageRef=20
KeyValue key=1 value=2
Mount containerPath=1 hostPath=2 readonly:bool=3 propagation:MountPropagation=5 recursiveReadOnly:bool=8
Device containerPath=1 hostPath=2 permissions=3
Capability addCapabilities:[]string=1 dropCapabilities:[]string=2
LinuxContainerResources cpuPeriod:int64=1 cpuQuota:int64=2 cpuShares:int64=3 memoryLimitInBytes:int64=4 oomScoreAdj:int64=5
LinuxContainerSecurityContext capabilities:Capability=1 privileged:bool=2 namespaceOptions:NamespaceOption=3 runAsUser:Int64Value=5 runAsUsername=6 readonlyRootfs:bool=7 supplementalGroups:[]int64=8 noNewPrivs:bool=11 runAsGroup:Int64Value=12 maskedPaths:[]string=13 readonlyPaths:[]string=14 seccomp:SecurityProfile=15 apparmor:SecurityProfile=16 supplementalGroupsPolicy:SupplementalGroupsPolicy=17
LinuxContainerConfig resources:LinuxContainerResources=1 securityContext:LinuxContainerSecurityContext=2
CDIDevice name=1
ContainerConfig metadata:ContainerMetadata=1 image:ImageSpec=2 command:[]string=3 args:[]string=4 workingDir=5 envs:[]KeyValue=6 mounts:[]Mount=7 devices:[]Device=8 labels:map=9 annotations:map=10 logPath=11 stdin:bool=12 stdinOnce:bool=13 tty:bool=14 linux:LinuxContainerConfig=15 cdiDevices:[]CDIDevice=17 stopSignal:Signal=18
CreateContainerRequest podSandboxId=1 config:ContainerConfig=2 sandboxConfig:PodSandboxConfig=3
CreateContainerResponse containerId=1
ContainerRequest containerId=1
StopContainerRequest containerId=1 timeout:int64=2
ContainerStateValue state:ContainerState=1
ContainerFilter id=1 state:ContainerStateValue=2 podSandboxId=3 labelSelector:map=4
ListContainersRequest filter:ContainerFilter=1
ListContainersResponse containers:[]Container=1
Container id=1 podSandboxId=2 metadata:ContainerMetadata=3 image:ImageSpec=4 imageRef=5 state:ContainerState=6 createdAt:int64=7 labels:map=8 annotations:map=9
ContainerStatusRequest containerId=1 verbose:bool=2
ContainerStatusResponse status:ContainerStatus=1 info:map=2
ContainerStatus id=1 metadata:ContainerMetadata=2 state:ContainerState=3 createdAt:int64=4 startedAt:int64=5 finishedAt:int64=6 exitCode:int32=7 image:ImageSpec=8 imageRef=9 reason=10 message=11 labels:map=12 annotations:map=13 logPath=15 resources:ContainerResources=16 user:ContainerUser=18
ContainerUser linux:LinuxContainerUser=1
LinuxContainerUser uid:int64=1 gid:int64=2 supplementalGroups:[]int64=3
ContainerResources linux:LinuxContainerResources=1
UpdateContainerResourcesRequest containerId=1 linux:LinuxContainerResources=2
ExecSyncRequest containerId=1 cmd:[]string=2 timeout:int64=3
ExecSyncResponse stdout:bytes=1 stderr:bytes=2 exitCode:int32=3
ExecRequest containerId=1 cmd:[]string=2 tty:bool=3 stdin:bool=4 stdout:bool=5 stderr:bool=6
AttachRequest containerId=1 stdin:bool=2 tty:bool=3 stdout:bool=4 stderr:bool=5
PortForwardRequest podSandboxId=1 port:[]int32=2
UrlResponse url=1
ContainerStatsFilter id=1 podSandboxId=2 labelSelector:map=3
ListContainerStatsRequest filter:ContainerStatsFilter=1
ListContainerStatsResponse stats:[]ContainerStats=1
ContainerStatsResponse stats:ContainerStats=1
ContainerStats attributes:ContainerAttributes=1 cpu:CpuUsage=2 memory:MemoryUsage=3 writableLayer:FilesystemUsage=4
ContainerAttributes id=1 metadata:ContainerMetadata=2 labels:map=3 annotations:map=4
CpuUsage timestamp:int64=1 usageCoreNanoSeconds:UInt64Value=2
MemoryUsage timestamp:int64=1 workingSetBytes:UInt64Value=2 usageBytes:UInt64Value=4 rssBytes:UInt64Value=5
FilesystemIdentifier mountpoint=1
FilesystemUsage timestamp:int64=1 fsId:FilesystemIdentifier=2 usedBytes:UInt64Value=3 inodesUsed:UInt64Value=4
ContainerEventResponse containerId=1 containerEventType:ContainerEventType=2 createdAt:int64=3 podSandboxStatus:PodSandboxStatus=4 containersStatuses:[]ContainerStatus=5
AuthConfig username=1 password=2 auth=3 serverAddress=4 identityToken=5 registryToken=6
PullImageRequest image:ImageSpec=1 auth:AuthConfig=2
PullImageResponse imageRef=1
ImageRequest image:ImageSpec=1
ImageStatusResponse image:Image=1
ImageFilter image:ImageSpec=1
ListImagesRequest filter:ImageFilter=1
ListImagesResponse images:[]Image=1
Image id=1 repoTags:[]string=2 repoDigests:[]string=3 size:uint64=4 uid:Int64Value=5 username=6 pinned:bool=8
ImageFsInfoResponse imageFilesystems:[]FilesystemUsage=1
`;

/** Values in order of their numbers, from 0. */
const enums: Readonly<Record<string, readonly string[]>> = {
  Protocol: ["TCP", "UDP", "SCTP"],
  MountPropagation: ["PROPAGATION_PRIVATE", "PROPAGATION_HOST_TO_CONTAINER", "PROPAGATION_BIDIRECTIONAL"],
  NamespaceMode: ["POD", "CONTAINER", "NODE", "TARGET"],
  SupplementalGroupsPolicy: ["Merge", "Strict"],
  ProfileType: ["RuntimeDefault", "Unconfined", "Localhost"],
  PodSandboxState: ["SANDBOX_READY", "SANDBOX_NOTREADY"],
  ContainerState: ["CONTAINER_CREATED", "CONTAINER_RUNNING", "CONTAINER_EXITED", "CONTAINER_UNKNOWN"],
  ContainerEventType: [
    "CONTAINER_CREATED_EVENT",
    "CONTAINER_STARTED_EVENT",
    "CONTAINER_STOPPED_EVENT",
    "CONTAINER_DELETED_EVENT",
  ],
  Signal: signals(),
};

/** `stream` before a response: many of them. */
const services: Services = {
  RuntimeService: {
    Version: ["VersionRequest", "VersionResponse"],
    Status: ["StatusRequest", "StatusResponse"],
    UpdateRuntimeConfig: ["UpdateRuntimeConfigRequest", "Empty"],
    RunPodSandbox: ["RunPodSandboxRequest", "RunPodSandboxResponse"],
    StopPodSandbox: ["SandboxRequest", "Empty"],
    RemovePodSandbox: ["SandboxRequest", "Empty"],
    PodSandboxStatus: ["PodSandboxStatusRequest", "PodSandboxStatusResponse"],
    ListPodSandbox: ["ListPodSandboxRequest", "ListPodSandboxResponse"],
    CreateContainer: ["CreateContainerRequest", "CreateContainerResponse"],
    StartContainer: ["ContainerRequest", "Empty"],
    StopContainer: ["StopContainerRequest", "Empty"],
    RemoveContainer: ["ContainerRequest", "Empty"],
    ListContainers: ["ListContainersRequest", "ListContainersResponse"],
    ContainerStatus: ["ContainerStatusRequest", "ContainerStatusResponse"],
    UpdateContainerResources: ["UpdateContainerResourcesRequest", "Empty"],
    ReopenContainerLog: ["ContainerRequest", "Empty"],
    ExecSync: ["ExecSyncRequest", "ExecSyncResponse"],
    Exec: ["ExecRequest", "UrlResponse"],
    Attach: ["AttachRequest", "UrlResponse"],
    PortForward: ["PortForwardRequest", "UrlResponse"],
    ContainerStats: ["ContainerRequest", "ContainerStatsResponse"],
    ListContainerStats: ["ListContainerStatsRequest", "ListContainerStatsResponse"],
    GetContainerEvents: ["Empty", "stream ContainerEventResponse"],
  },
  ImageService: {
    ListImages: ["ListImagesRequest", "ListImagesResponse"],
    ImageStatus: ["ImageRequest", "ImageStatusResponse"],
    PullImage: ["PullImageRequest", "PullImageResponse"],
    RemoveImage: ["ImageRequest", "Empty"],
    ImageFsInfo: ["Empty", "ImageFsInfoResponse"],
  },
};

function signals(): readonly string[] {
  const named =
    "RUNTIME_DEFAULT ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN";
  const upper = Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`);
  const lower = Array.from({ length: 14 }, (_, index) => `RTMAX-${14 - index}`);
  const names = [...named.split(" "), ...upper, ...lower, "RTMAX"];
  return names.map((name) => (name === "RUNTIME_DEFAULT" ? "SIGNAL_RUNTIME_DEFAULT" : signalName(`SIG${name}`)));
}

/** CRI's name of `SIGTERM`, `SIGRTMIN+3`, ... */
export function signalName(signal: string): string {
  return `SIGNAL_${signal.replace("+", "PLUS").replace("-", "MINUS")}`;
}

export const signalNames: ReadonlySet<string> = new Set(signals());

/** The definition in the JSON form that the loader of gRPC takes. */
export function definition(): Definition {
  return definitionOf("runtime.v1", { messages, enums, services });
}
