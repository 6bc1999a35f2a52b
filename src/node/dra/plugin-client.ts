import { methodsOf, PluginSocket } from "../plugin-socket.js";
import { type DraService, draDefinition, draPackage } from "./definition.js";
import type { ClaimAnswer, DraPluginCalls, PreparedAnswer } from "./plugin.js";

/** As upstream: half of the time after which a kubelet tries again. */
const timeoutMs = 45_000;

/** A DRA plugin on its socket. */
export function draPluginAt(path: string, service: DraService): DraPluginCalls {
  const socket = new PluginSocket(
    path,
    methodsOf(draDefinition(service), `${draPackage(service)}.DRAPlugin`),
    timeoutMs,
  );
  type Answers<One> = { readonly claims: Readonly<Record<string, One>> };
  return {
    async prepare(claims, signal) {
      return (await socket.call<Answers<PreparedAnswer>>("NodePrepareResources", { claims }, signal)).claims;
    },
    async unprepare(claims, signal) {
      return (await socket.call<Answers<ClaimAnswer>>("NodeUnprepareResources", { claims }, signal)).claims;
    },
    connected: () => socket.connected(),
    close: () => socket.close(),
  };
}
