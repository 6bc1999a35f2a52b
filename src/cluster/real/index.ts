export type { Daemon } from "./daemon.js";
export type { LocalImage } from "./images/builtin-images.js";
export type { OciImage, OciImageOptions, TarEntry } from "./images/oci-image.js";
export { buildImage } from "./images/oci-image.js";
export { ImageRegistry } from "./images/registry.js";
export type { RealHost, RealHostOptions, RealNode } from "./real-host.js";
export { createRealHost, removeAbandonedHosts } from "./real-host.js";
