// For those who build their own.

export { listenForPages, type Page, type PageListener, type Pages } from "../pages.js";
export { type ClusterData, followCluster } from "./cluster-data.js";
export { ClusterZones, type ClusterZonesOptions, type OutsideAnswer, schemaVersion } from "./cluster-zones.js";
export { createDnsServer, type DnsListener, type DnsServer, type DnsServerOptions } from "./dns-server.js";
export type { DnsAnswer, DnsQuestion, DnsRecord, Rcode, SoaData, SrvData } from "./record.js";
