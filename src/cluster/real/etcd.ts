import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Logger } from "../../internal/logger.js";
import { findProgram } from "./command.js";
import { Daemon } from "./daemon.js";

export interface EtcdOptions {
  /** Its own; what is in it is taken up. */
  readonly dataDir: string;
  /** Named in its arguments, by which a later start finds it. */
  readonly runDir: string;
  readonly logger: Logger;
}

export interface Etcd {
  readonly endpoint: string;
  readonly daemon: Daemon;
}

/** One etcd member on free ports of loopback. */
export async function etcd({ dataDir, runDir, logger }: EtcdOptions): Promise<Etcd> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await mkdir(runDir, { recursive: true });
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = {
    name: "coxswain",
    "data-dir": join(dataDir, "member"),
    "wal-dir": join(dataDir, "wal"),
    "listen-client-urls": endpoint,
    "advertise-client-urls": endpoint,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `coxswain=${peer}`,
    "auto-compaction-retention": "0",
    logger: "zap",
    "log-level": "warn",
    "log-outputs": join(runDir, "etcd.log"),
  };
  const daemon = new Daemon({
    name: "etcd",
    argv: [
      await findProgram("etcd", "etcd-server"),
      ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    ],
    logFile: join(runDir, "etcd.log"),
    probe: async (signal) => {
      const response = await fetch(`${endpoint}/health`, { signal });
      return response.ok && (await response.text()).includes("true");
    },
    logger,
  });
  return { endpoint, daemon };
}

/** All held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
