import { connect } from "node:net";
import type { Container, ExecAction, Probe } from "../../api/index.js";
import { isRuntimeError, type Runtime } from "../../runtime/index.js";
import { grpcProbe } from "./grpc-probe.js";
import { dialError, httpProbe } from "./http-probe.js";
import { type ProbeOutcome, type Prober, portOf } from "./prober.js";

const maxOutputBytes = 10 * 1024;
const probeUserAgent = "kube-probe/1.36";

/** Probes over the network, and by exec through the runtime. */
export function createProber(runtime: Runtime): Prober {
  return {
    async probe(probe, { container, containerId, ip }, { timeoutMs, signal }) {
      try {
        if (probe.exec) return await execProbe(runtime, probe.exec, containerId, timeoutMs, signal);
        return await overNetwork(probe, container, ip, timeoutMs, signal);
      } catch (error) {
        return { result: "unknown", output: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}

/** For nodes without a network: commands are asked of the runtime, everything else is well. */
export function createHollowProber(runtime: Runtime): Prober {
  const real = createProber(runtime);
  const well: Promise<ProbeOutcome> = Promise.resolve({ result: "success", output: "" });
  return { probe: (probe, target, options) => (probe.exec ? real.probe(probe, target, options) : well) };
}

function overNetwork(
  probe: Probe,
  container: Container,
  ip: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const common = { userAgent: probeUserAgent, timeoutMs, signal };
  const { httpGet, tcpSocket, grpc } = probe;
  if (httpGet) {
    return httpProbe(httpGet, { ...common, host: httpGet.host || ip, port: portOf(container, httpGet.port) });
  }
  if (tcpSocket) return tcpProbe(tcpSocket.host || ip, portOf(container, tcpSocket.port), timeoutMs, signal);
  if (grpc) {
    return grpcProbe({ ...common, host: ip, port: grpc.port, service: grpc.service ?? "" });
  }
  return Promise.resolve({ result: "unknown", output: "missing probe handler" });
}

async function execProbe(
  runtime: Runtime,
  exec: ExecAction,
  containerId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  try {
    const result = await runtime.execSync(containerId, exec.command ?? [], Math.ceil(timeoutMs / 1000), { signal });
    const output = Buffer.concat([result.stdout, result.stderr]).toString("utf8", 0, maxOutputBytes);
    return { result: result.exitCode === 0 ? "success" : "failure", output };
  } catch (error) {
    if (!isRuntimeError(error, "deadline-exceeded")) throw error;
    const command = (exec.command ?? []).join(" ");
    return { result: "failure", output: `command timed out: "${command}" timed out after ${timeoutMs / 1000}s` };
  }
}

function tcpProbe(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (outcome: ProbeOutcome): void => {
      signal.removeEventListener("abort", late);
      socket.destroy();
      resolve(outcome);
    };
    const late = (): void => finish({ result: "failure", output: `dial tcp ${host}:${port}: i/o timeout` });
    signal.addEventListener("abort", late, { once: true });
    socket.setTimeout(timeoutMs, late);
    socket.on("connect", () => finish({ result: "success", output: "" }));
    socket.on("error", (error) => finish({ result: "failure", output: dialError(error, host, port) }));
  });
}
