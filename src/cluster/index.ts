export { type ClusterPki, type ClusterPkiOptions, createClusterPki } from "../apiserver/pki/cluster-pki.js";
export { folderPkiStorage, type PkiStorage } from "../apiserver/pki/pki-storage.js";
export type { Cluster, ClusterContext, ClusterOptions } from "./cluster.js";
export { afterBootstrap, identities, kubeconfigFor, startCluster } from "./cluster.js";
// For those who build their own.
export type { ClusterDnsFacts, ClusterDnsOptions } from "./cluster-dns.js";
export { dnsClusterIp } from "./cluster-dns.js";
export type { ControlPlane, ControlPlaneOptions } from "./control-plane.js";
export { startControlPlane } from "./control-plane.js";
export type { LocalCluster, LocalClusterOptions } from "./local-cluster.js";
export { startLocalCluster } from "./local-cluster.js";
export type { LoopbackRange } from "./loopback-range.js";
export { claimLoopbackRange } from "./loopback-range.js";
export type { MachineOptions } from "./machine.js";
export { machine } from "./machine.js";
export { ComponentError, Supervisor, type SupervisorEvents } from "./supervisor.js";
