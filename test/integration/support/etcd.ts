import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A real etcd on loopback, with free ports and a data folder of its own. */
export interface EtcdProcess extends AsyncDisposable {
  readonly endpoint: string;
  /** kill -9; the data stays. */
  kill(): Promise<void>;
  /** Starts it again, on the same ports and data. */
  start(): Promise<void>;
}

export interface EtcdProcessOptions {
  /** PEM. With it clients must show a certificate of the same authority. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

/** Starts an etcd. Rejects, and never skips, when there is no binary. */
export async function startEtcd(options: EtcdProcessOptions = {}): Promise<EtcdProcess> {
  const binary = await findBinary("etcd");
  const folder = await mkdtemp(join(tmpdir(), "coxswain-etcd-"));
  const [clientPort, peerPort, healthPort] = await freePorts(3);
  const endpoint = `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${clientPort}`;
  const health = `http://127.0.0.1:${healthPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = {
    name: "test",
    "data-dir": join(folder, "data"),
    "listen-client-urls": endpoint,
    "advertise-client-urls": endpoint,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `test=${peer}`,
    "listen-metrics-urls": health,
    logger: "zap",
    "log-level": "error",
    ...(options.tls === undefined ? {} : await writeTlsFiles(folder, options.tls)),
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  if (options.tls !== undefined) args.push("--client-cert-auth");
  let child: ChildProcess | undefined;

  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  };
  const start = async (): Promise<void> => {
    const started = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    let output = "";
    started.stderr.on("data", (chunk) => {
      output = (output + chunk).slice(-4000);
    });
    await untilHealthy(health, started, () => output);
  };
  try {
    await start();
  } catch (error) {
    await kill();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    endpoint,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeTlsFiles(
  folder: string,
  tls: NonNullable<EtcdProcessOptions["tls"]>,
): Promise<Record<string, string>> {
  const files = { "trusted-ca-file": tls.ca, "cert-file": tls.cert, "key-file": tls.key };
  const flags: Record<string, string> = {};
  for (const [flag, pem] of Object.entries(files)) {
    flags[flag] = join(folder, `${flag}.pem`);
    await writeFile(join(folder, `${flag}.pem`), pem, { mode: 0o600 });
  }
  return flags;
}

async function untilHealthy(endpoint: string, child: ChildProcess, output: () => string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`etcd ended with code ${child.exitCode}: ${output()}`);
    const healthy = await fetch(`${endpoint}/health`).then(
      async (response) => response.ok && (await response.text()).includes("true"),
      () => false,
    );
    if (healthy) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`etcd is not healthy after 30 s: ${output()}`);
}

async function findBinary(name: string): Promise<string> {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), "/usr/local/bin", "/usr/bin"]) {
    const path = join(folder, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  throw new Error(`${name} is not installed: these tests need it (Debian: apt-get install etcd-server)`);
}

/** Ports that are free at this moment, all held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
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
