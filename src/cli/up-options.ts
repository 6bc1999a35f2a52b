import { InvalidArgumentError } from "commander";

export interface UpOptions {
  readonly real: boolean;
  readonly host: boolean;
  readonly dualStack: boolean;
  readonly demo: boolean;
  readonly kubeconfig?: string | undefined;
  readonly port?: number | undefined;
  readonly nodes: number;
  readonly data?: string | undefined;
  readonly store?: "memory" | "embedded" | "etcd" | undefined;
  readonly runtime?: "fake" | "process" | "cri" | undefined;
  readonly proxy?: "none" | "userspace" | "iptables" | "ipvs" | "nftables" | undefined;
  readonly insecurePort?: number | undefined;
  readonly verbose: boolean;
}

/** A command line that makes no sense, or a machine that cannot do what it asks: one sentence, exit code 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("a port is a number from 0 to 65535");
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count > 100) throw new InvalidArgumentError("a number from 0 to 100 is expected");
  return count;
}

export function parseLimit(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("a number from 0 to 999999 is expected; 0 is no limit");
  return Number(text);
}

export function parseBoolean(text: string): boolean {
  if (text !== "true" && text !== "false") throw new InvalidArgumentError("true or false is expected");
  return text === "true";
}

export function parseNames(text: string): readonly string[] {
  return text.split(",").map((name) => name.trim());
}
