export type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerFilter,
  ContainerMetadata,
  ContainerResources,
  ContainerSecurity,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  ContainerUser,
  Mount,
  MountPropagation,
} from "./container.js";
export type { LogRecord, LogStream } from "./cri-log.js";
export { formatLogLine, logTime, maxLogLineBytes, parseLogLine } from "./cri-log.js";
export type { RuntimeErrorCode } from "./errors.js";
export { isRuntimeError, RuntimeError } from "./errors.js";
export type { FakeBehavior, FakeContainerContext, FakeExecResult, FakeScript, FakeUsage } from "./fake/behavior.js";
export type { FakeRuntimeOptions } from "./fake/fake-runtime.js";
export { FakeRuntime } from "./fake/fake-runtime.js";
export type { FilesystemUsage, Image, ImageAuth, PullImageOptions } from "./image.js";
export { IpPool } from "./ip-pool.js";
export type {
  CallOptions,
  ExecSyncResult,
  ImageService,
  Runtime,
  RuntimeCondition,
  RuntimeHandler,
  RuntimeService,
  RuntimeStatus,
  RuntimeVersion,
} from "./runtime.js";
export type {
  DnsConfig,
  NamespaceMode,
  NamespaceOptions,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  PortMapping,
  SandboxFilter,
  SandboxMetadata,
  SandboxSecurity,
  SandboxState,
  SecurityProfile,
  StringMap,
} from "./sandbox.js";
export type {
  AttachOptions,
  ExecExit,
  ExecOptions,
  LocalPortForward,
  LocalProcessStream,
  PortForwardStream,
  ProcessStream,
  RemoteStream,
  TerminalSize,
} from "./streams.js";
