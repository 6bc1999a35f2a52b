import { Supervisor } from "../cluster/supervisor.js";
import type { Component } from "../internal/component.js";
import { untilStopped } from "./signals.js";

/** Runs one part until a signal comes; rejects when it cannot start or breaks. Says on standard output when it is ready. */
export async function runPart(part: Component): Promise<void> {
  const stopping = untilStopped();
  const supervisor = new Supervisor({
    ready: (name, durationMs) => process.stdout.write(`coxswain: ${name} ready in ${durationMs.toFixed(0)} ms\n`),
  });
  const alone: Component = { name: part.name, run: (context) => part.run(context) };
  try {
    await Promise.race([supervisor.start([alone]), stopping.stopped]);
    const failure = await Promise.race([supervisor.failed, stopping.stopped]);
    if (failure !== undefined) throw failure;
  } finally {
    await supervisor.stop();
    stopping.release();
  }
}
