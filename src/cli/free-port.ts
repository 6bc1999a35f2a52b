import { createServer } from "node:net";

/** `wanted` when nobody listens there, else 0: any port. */
export function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(0));
    probe.listen({ host: "127.0.0.1", port: wanted, exclusive: true }, () => probe.close(() => resolve(wanted)));
  });
}
