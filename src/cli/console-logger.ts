import type { LogFields, Logger } from "../internal/logger.js";

/** Lines for people and for grep: time, level, message, fields as key=value. */
export function consoleLogger(write: (line: string) => void, verbose: boolean): Logger {
  const line = (level: string, message: string, fields: LogFields = {}): void => {
    const values = Object.entries(fields).map(([name, value]) => ` ${name}=${text(value)}`);
    write(`${new Date().toISOString()} ${level} ${message}${values.join("")}\n`);
  };
  const silent = (): void => {};
  return {
    debug: verbose ? (message, fields) => line("debug", message, fields) : silent,
    info: verbose ? (message, fields) => line("info", message, fields) : silent,
    warn: (message, fields) => line("warn", message, fields),
    error: (message, fields) => line("error", message, fields),
  };
}

function text(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === "string") return /[\s"=]/.test(value) || value === "" ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? "undefined";
}
