import { createServer } from "node:net";

/** `wanted` when this process can listen there, else 0: any port. It cannot where somebody else does, or where a privilege is needed. */
export function freePort(wanted: number, host: string = "127.0.0.1"): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen({ host, port: wanted, exclusive: true }, () => probe.close(() => resolve(wanted)));
  });
}
