export { EtcdStore, type EtcdStoreOptions } from "./etcd-store.js";
export type { EtcdConnectionOptions } from "./etcd3-transport.js";
