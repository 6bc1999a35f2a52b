import type { Container, LifecycleHandler } from "../../api/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Runtime } from "../../runtime/index.js";
import { httpProbe } from "../probes/http-probe.js";
import { portOf } from "../probes/prober.js";

export interface HookTarget {
  readonly container: Container;
  readonly containerId: string;
  readonly ip: string;
  /** 0: as long as it takes. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Carries out a postStart or preStop hook; rejects with what the event is to say. */
export interface HookRunner {
  run(handler: LifecycleHandler, target: HookTarget): Promise<void>;
}

const httpTimeoutMs = 30_000;

/** `network` false: HTTP hooks of a hollow node succeed unasked. */
export function createHookRunner(runtime: Runtime, clock: Clock, network: boolean): HookRunner {
  return {
    async run(handler, { container, containerId, ip, timeoutMs, signal }) {
      if (handler.exec) {
        const command = handler.exec.command ?? [];
        const seconds = Math.ceil(timeoutMs / 1000);
        const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, seconds, { signal });
        if (exitCode === 0) return;
        const output = Buffer.concat([stdout, stderr]).toString();
        throw new Error(`command '${command.join(" ")}' exited with ${exitCode}: ${output}`);
      }
      if (handler.sleep) return sleep(clock, handler.sleep.seconds * 1000, signal);
      if (handler.httpGet && network) {
        const { httpGet } = handler;
        const { result, output } = await httpProbe(httpGet, {
          host: httpGet.host || ip,
          port: portOf(container, httpGet.port),
          userAgent: "kube-lifecycle/1.36",
          timeoutMs: timeoutMs || httpTimeoutMs,
          signal,
        });
        if (result !== "success" && result !== "warning") throw new Error(output);
      }
    },
  };
}
