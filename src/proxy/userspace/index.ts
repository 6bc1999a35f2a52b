export { UserspaceProxy, type UserspaceProxyOptions } from "./userspace-proxy.js";
