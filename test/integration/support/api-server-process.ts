import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { accessFrom, HttpTransport, loadKubeconfig } from "coxswain/client";
import { startCli } from "./cli.js";
import type { Program } from "./cli-program.js";

export interface ApiServerProcessOptions {
  readonly folder: string;
  /** Of the keys, in the folder. Servers of one cluster share it. */
  readonly data: string;
  readonly name: string;
  /** The endpoint of etcd. */
  readonly etcd: string;
}

/** An API server of its own process. It keeps its port over restarts. */
export class ApiServerProcess implements AsyncDisposable {
  readonly kubeconfig: string;
  port = 0;
  #program: Program | undefined;
  readonly #options: ApiServerProcessOptions;

  constructor(options: ApiServerProcessOptions) {
    this.#options = options;
    this.kubeconfig = join(options.folder, `${options.name}.kubeconfig`);
  }

  async start(): Promise<void> {
    const { kubeconfig, port } = this;
    const { folder, data, etcd } = this.#options;
    const store = ["--store", "etcd", "--etcd", etcd, "--data", join(folder, data)];
    this.#program = startCli(["apiserver", ...store, "--port", String(port), "--kubeconfig", kubeconfig]);
    await this.#program.until(/apiserver ready in/);
    this.port = Number(/server: "?https:\/\/127\.0\.0\.1:(\d+)/.exec(await readFile(kubeconfig, "utf8"))?.[1]);
  }

  async kill(): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Connections of its own, as another process has. */
export async function connectTo(kubeconfig: string, port: number): Promise<HttpTransport> {
  const { options } = await accessFrom(await loadKubeconfig([kubeconfig]));
  return new HttpTransport({ ...options, server: `https://127.0.0.1:${port}` });
}
