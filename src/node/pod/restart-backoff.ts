import type { Container } from "../../api/index.js";
import { hashOf } from "./container-config.js";

const initialMs = 10_000;
const maxMs = 300_000;

/** A duration as upstream prints it: `10s`, `1m20s`, `5m0s`. */
export function formatSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

/**
 * How long a container that keeps ending, or an image that cannot be had, waits for the next try: 10 s, doubling to 5
 * minutes, forgotten after twice the maximum without trouble.
 */
export class RestartBackoff {
  readonly #entries = new Map<string, { delayMs: number; atMs: number }>();

  /** How much of the wait since `sinceMs` is left; 0: go on. */
  leftMs(key: string, sinceMs: number, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined || nowMs - entry.atMs > 2 * maxMs) return 0;
    return Math.max(0, sinceMs + entry.delayMs - nowMs);
  }

  delayMs(key: string): number {
    return this.#entries.get(key)?.delayMs ?? 0;
  }

  /** One more try was made at `nowMs`, after an end at `sinceMs`. */
  next(key: string, sinceMs: number, nowMs: number): void {
    const entry = this.#entries.get(key);
    const fresh = entry === undefined || sinceMs - entry.atMs > 2 * maxMs;
    this.#entries.set(key, { delayMs: fresh ? initialMs : Math.min(entry.delayMs * 2, maxMs), atMs: nowMs });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  forgetPod(podUid: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(`${podUid} `)) this.#entries.delete(key);
  }
}

/** Of one container as it is defined now: another image has another chance. */
export function backoffKey(podUid: string, container: Container): string {
  return `${podUid} ${container.name} ${hashOf(container)}`;
}
