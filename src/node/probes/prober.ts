import type { Container, Pod, Probe } from "../../api/index.js";

export type ProbeKind = "startup" | "liveness" | "readiness";

/** What a probe looks at. */
export interface ProbeTarget {
  readonly pod: Pod;
  readonly container: Container;
  readonly containerId: string;
  /** The pod's address; the host's for one on the host's network. */
  readonly ip: string;
}

export interface ProbeOutcome {
  /** `warning`: a success that is worth telling of. `unknown`: the probe itself did not work; it counts neither way. */
  readonly result: "success" | "warning" | "failure" | "unknown";
  readonly output: string;
}

/** Carries out one probe. Never rejects; within `timeoutMs` it is a failure. */
export interface Prober {
  probe(
    probe: Probe,
    target: ProbeTarget,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ProbeOutcome>;
}

/** The number of a port given by number or by name; throws when the container has none of that name. */
export function portOf(container: Container, port: number | string): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const parsed = named ?? Number(port);
  if (!Number.isInteger(parsed) || parsed < 1 || parsed > 65535) throw new Error(`invalid port number: ${port}`);
  return parsed;
}
