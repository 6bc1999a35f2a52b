import { createNodeAgent, type NodeAgentOptions } from "../../../src/node/index.js";

/** A node agent that a test stops, and starts again as it was. */
export class TestAgent {
  readonly #options: NodeAgentOptions;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(options: NodeAgentOptions) {
    this.#options = options;
  }

  static async start(options: NodeAgentOptions): Promise<TestAgent> {
    const agent = new TestAgent(options);
    await agent.start();
    return agent;
  }

  /** Resolves when it is ready, and rejects when it cannot be. */
  async start(): Promise<void> {
    this.#stop = new AbortController();
    const agent = createNodeAgent(this.#options);
    await new Promise<void>((ready, fail) => {
      this.#running = agent.run({ signal: this.#stop.signal, ready });
      this.#running.catch(fail);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
