import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DialResult } from "../../../src/testing/proxy-checks.js";

const script = fileURLToPath(new URL("./netns-agent.mjs", import.meta.url));

export interface DialRequest {
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  readonly source?: string | undefined;
  readonly sourcePort?: number | undefined;
  readonly timeoutMs: number;
}

/** A process in a network namespace (or, without one, here) that serves and dials as it is told. */
export class NetnsAgent implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly #ended: Promise<void>;
  #next = 0;

  constructor(netns?: string, program: string = script) {
    const args = netns === undefined ? [] : [`--net=/run/netns/${netns}`, "--", process.execPath];
    this.#child = spawn(netns === undefined ? process.execPath : "nsenter", [...args, program], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#ended = new Promise((resolve) => this.#child.once("close", () => resolve()));
    if (this.#child.stdout === null) throw new Error("the agent has no output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, ...result } = JSON.parse(line) as { id: number };
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  async serve(ip: string, port: number, name: string): Promise<void> {
    await this.#ask({ op: "serve", ip, port, name });
  }

  async dial(request: DialRequest): Promise<DialResult> {
    return (await this.#ask({ op: "dial", ...request })) as DialResult;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }

  async #ask(request: object): Promise<unknown> {
    const id = this.#next++;
    const result = await new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      void this.#ended.then(() => reject(new Error("the agent ended")));
      this.#child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
    const { error } = result as { error?: string };
    if (error !== undefined) throw new Error(`the agent failed: ${error}`);
    return result;
  }
}
