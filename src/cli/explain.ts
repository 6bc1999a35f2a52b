import { UsageError } from "./up-options.js";

/** What a person is told when something cannot be done: one sentence. */
export function explain(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  const cause = rootCause(error);
  const code = (cause as NodeJS.ErrnoException).code;
  const { port, address, path } = cause as { port?: number; address?: string; path?: string };
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} on ${address} is in use; choose another one with --port`;
    case "EACCES":
    case "EPERM":
      return path === undefined ? `no permission: ${cause.message}` : `no permission for ${path}`;
    case "ENOENT":
      return path === undefined ? cause.message : `${path} does not exist`;
    case "ENOSPC":
      return `no space left for ${path ?? "the data"}`;
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function rootCause(error: unknown): Error {
  let cause = error instanceof Error ? error : new Error(String(error));
  while (cause.cause instanceof Error) cause = cause.cause;
  return cause;
}
