import { describe, expect, it } from "vitest";
import type { Component } from "../internal/component.js";
import { Supervisor } from "./supervisor.js";

function part(name: string, log: string[], dependencies: readonly string[] = []): Component {
  return {
    name,
    dependencies,
    run: ({ signal, ready }) =>
      new Promise((resolve) => {
        log.push(`start ${name}`);
        signal.addEventListener("abort", () => {
          log.push(`stop ${name}`);
          resolve();
        });
        ready();
      }),
  };
}

describe("Supervisor", () => {
  it("starts what others depend on first and stops it last", async () => {
    const log: string[] = [];
    const supervisor = new Supervisor();
    await supervisor.start([part("scheduler", log, ["api"]), part("api", log, ["store"]), part("store", log)]);
    await supervisor.stop();
    expect(log).toEqual(["start store", "start api", "start scheduler", "stop scheduler", "stop api", "stop store"]);
  });

  it("stops what had started when one part cannot", async () => {
    const log: string[] = [];
    const broken: Component = {
      name: "api",
      dependencies: ["store"],
      run: () => Promise.reject(new Error("port in use")),
    };
    const supervisor = new Supervisor();
    await expect(supervisor.start([part("store", log), broken])).rejects.toThrow("api: port in use");
    expect(log).toEqual(["start store", "stop store"]);
  });

  it("refuses dependencies that are missing or go in a circle", async () => {
    const log: string[] = [];
    await expect(new Supervisor().start([part("a", log, ["b"])])).rejects.toThrow("a depends on b");
    const circle = [part("a", log, ["b"]), part("b", log, ["a"])];
    await expect(new Supervisor().start(circle)).rejects.toThrow("depend on one another: a -> b -> a");
    expect(log).toEqual([]);
  });

  it("tells of a part that ended by itself later", async () => {
    let end: (error: Error) => void = () => {};
    const fragile: Component = {
      name: "node",
      run: ({ ready }) =>
        new Promise((_, reject) => {
          end = reject;
          ready();
        }),
    };
    const supervisor = new Supervisor();
    await supervisor.start([fragile]);
    end(new Error("runtime is gone"));
    expect((await supervisor.failed).message).toBe("node: runtime is gone");
    await supervisor.stop();
  });
});
