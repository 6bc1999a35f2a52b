import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ConfigurationError } from "../api/configuration-shape.js";
import { DurationError, parseDurationMs } from "../api/duration.js";
import {
  type AuditDelivery,
  AuditLog,
  type AuditLogOutput,
  type AuditMode,
  type AuditOptions,
  AuditWebhook,
  parseAuditPolicy,
  RotatingFile,
} from "../apiserver/index.js";
import { accessFrom, loadKubeconfig } from "../client/kubeconfig.js";
import { realClock } from "../internal/clock.js";
import { parseBoolean, UsageError } from "./up-options.js";

/** The flags of one backend, by the names that commander makes of them. */
type DeliveryFlags<Name extends "Log" | "Webhook"> = {
  readonly [Key in `audit${Name}Mode`]: AuditMode;
} & {
  readonly [Key in
    | `audit${Name}BatchBufferSize`
    | `audit${Name}BatchMaxSize`
    | `audit${Name}BatchMaxWait`
    | `audit${Name}BatchThrottleQps`
    | `audit${Name}BatchThrottleBurst`
    | `audit${Name}TruncateMaxBatchSize`
    | `audit${Name}TruncateMaxEventSize`]: number;
} & {
  readonly [Key in `audit${Name}BatchThrottleEnable` | `audit${Name}TruncateEnabled`]: boolean;
};

export interface AuditFlags extends DeliveryFlags<"Log">, DeliveryFlags<"Webhook"> {
  readonly auditPolicyFile?: string | undefined;
  readonly auditLogPath?: string | undefined;
  readonly auditLogFormat: "json" | "legacy";
  readonly auditLogMaxage: number;
  readonly auditLogMaxbackup: number;
  readonly auditLogMaxsize: number;
  readonly auditLogCompress: boolean;
  readonly auditWebhookConfigFile?: string | undefined;
  readonly auditWebhookInitialBackoff: number;
}

const version = "audit.k8s.io/v1";

/** Upstream's flags of the audit log, with its defaults. */
export function addAuditFlags(command: Command): Command {
  command
    .option("--audit-policy-file <path>", "which requests are recorded, and how much of them; absent: none are")
    .option("--audit-log-path <path>", "the file that they are recorded in; - is standard output")
    .addOption(new Option("--audit-log-format <format>", "of its lines").choices(["json", "legacy"]).default("json"))
    .option("--audit-log-maxage <days>", "how long its backups are kept; 0 is for ever", parseNumber, 0)
    .option("--audit-log-maxbackup <n>", "how many of them; 0 is all", parseNumber, 0)
    .option("--audit-log-maxsize <megabytes>", "how large it becomes before it is one; 0 is 100", parseNumber, 0)
    .option("--audit-log-compress [bool]", "pack its backups with gzip", parseBoolean, false);
  addDeliveryFlags(command, "log", { mode: "blocking", batch: 1, wait: "0s", throttle: false });
  command
    .option("--audit-webhook-config-file <path>", "a kubeconfig of whoever else they are sent to")
    .addOption(
      waitOption("--audit-webhook-initial-backoff <duration>", "how long after a failure they are sent again", "10s"),
    );
  addDeliveryFlags(command, "webhook", { mode: "batch", batch: 400, wait: "30s", throttle: true });
  return command;
}

function waitOption(flags: string, description: string, standard: string): Option {
  return new Option(flags, description).argParser(parseWait).default(parseDurationMs(standard), standard);
}

function addDeliveryFlags(
  command: Command,
  name: "log" | "webhook",
  defaults: { readonly mode: AuditMode; readonly batch: number; readonly wait: string; readonly throttle: boolean },
): void {
  const flag = (rest: string): string => `--audit-${name}-${rest}`;
  command
    .addOption(
      new Option(flag("mode <mode>"), "whether requests wait for it")
        .choices(["batch", "blocking", "blocking-strict"])
        .default(defaults.mode),
    )
    .option(flag("batch-buffer-size <n>"), "events kept in mode batch; later ones are lost", parsePositive, 10_000)
    .option(flag("batch-max-size <n>"), "events written together", parsePositive, defaults.batch)
    .addOption(waitOption(flag("batch-max-wait <duration>"), "how long one waits for others", defaults.wait))
    .option(flag("batch-throttle-enable [bool]"), "limit batches by the second", parseBoolean, defaults.throttle)
    .option(flag("batch-throttle-qps <n>"), "to so many", parseRate, 10)
    .option(flag("batch-throttle-burst <n>"), "and so many at once after a rest", parsePositive, 15)
    .option(flag("truncate-enabled [bool]"), "limit the size of events", parseBoolean, false)
    .option(flag("truncate-max-event-size <bytes>"), "above which they lose their objects", parsePositive, 100 * 1024)
    .option(flag("truncate-max-batch-size <bytes>"), "of all written together", parsePositive, 10 * 1024 * 1024)
    .addOption(new Option(flag("version <version>"), "of the events").choices([version]).default(version));
}

/** What the flags ask for; the backends are the caller's to dispose, after the server. */
export interface AuditFromFlags extends AsyncDisposable {
  readonly options: AuditOptions | undefined;
}

/** Throws UsageError for flags that make no sense, and for files that cannot be read. */
export async function auditFromFlags(flags: AuditFlags): Promise<AuditFromFlags> {
  const { auditPolicyFile, auditLogPath, auditWebhookConfigFile } = flags;
  const wanted = auditLogPath !== undefined || auditWebhookConfigFile !== undefined;
  if (auditPolicyFile === undefined) {
    if (wanted) throw new UsageError("--audit-log-path and --audit-webhook-config-file need --audit-policy-file");
    return { options: undefined, [Symbol.asyncDispose]: async () => {} };
  }
  const policy = await readPolicy(auditPolicyFile);
  if (!wanted) throw new UsageError("--audit-policy-file needs --audit-log-path or --audit-webhook-config-file");
  const backends: AuditDelivery[] = [];
  const made: AsyncDisposable[] = [];
  if (auditLogPath !== undefined) {
    const output = logOutput(auditLogPath, flags);
    if (output instanceof RotatingFile) made.push(output);
    backends.push({ backend: new AuditLog({ output, format: flags.auditLogFormat }), ...deliveryOf(flags, "Log") });
  }
  if (auditWebhookConfigFile !== undefined) {
    const backend = await webhookOf(auditWebhookConfigFile, flags);
    made.push(backend);
    backends.push({ backend, ...deliveryOf(flags, "Webhook") });
  }
  return {
    options: { policy, backends },
    [Symbol.asyncDispose]: async () => {
      for (const each of made) await each[Symbol.asyncDispose]();
    },
  };
}

async function readPolicy(path: string): Promise<AuditOptions["policy"]> {
  try {
    return parseAuditPolicy(await readFile(path, "utf8"));
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const why = cause instanceof ConfigurationError ? `${path}: ${cause.message}` : cause.message;
    throw new UsageError(`--audit-policy-file: ${why}`, { cause });
  }
}

function logOutput(path: string, flags: AuditFlags): AuditLogOutput {
  if (path === "-") return standardOutput;
  return new RotatingFile(path, {
    clock: realClock,
    maxSizeBytes: flags.auditLogMaxsize * 1024 * 1024,
    maxBackups: flags.auditLogMaxbackup,
    maxAgeDays: flags.auditLogMaxage,
    compress: flags.auditLogCompress,
  });
}

const standardOutput: AuditLogOutput = {
  write: (lines) =>
    new Promise<void>((resolve, reject) => {
      process.stdout.write(lines, (error) => (error ? reject(error) : resolve()));
    }),
};

async function webhookOf(path: string, flags: AuditFlags): Promise<AuditWebhook> {
  try {
    const { options } = await accessFrom(await loadKubeconfig([path]));
    return new AuditWebhook({
      url: options.server,
      ca: options.ca,
      certificate: options.clientCertificate,
      key: options.clientKey,
      serverName: options.tlsServerName,
      insecure: options.insecure,
      token: options.token,
      basicAuth: options.basicAuth,
      initialBackoffMs: flags.auditWebhookInitialBackoff,
    });
  } catch (cause) {
    throw new UsageError(`--audit-webhook-config-file: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function deliveryOf<Name extends "Log" | "Webhook">(
  flags: DeliveryFlags<Name>,
  name: Name,
): Omit<AuditDelivery, "backend"> {
  return {
    mode: flags[`audit${name}Mode`],
    batch: {
      bufferSize: flags[`audit${name}BatchBufferSize`],
      maxBatchSize: flags[`audit${name}BatchMaxSize`],
      maxBatchWaitMs: flags[`audit${name}BatchMaxWait`],
      throttle: flags[`audit${name}BatchThrottleEnable`]
        ? { qps: flags[`audit${name}BatchThrottleQps`], burst: flags[`audit${name}BatchThrottleBurst`] }
        : undefined,
    },
    truncate: flags[`audit${name}TruncateEnabled`]
      ? {
          maxEventSize: flags[`audit${name}TruncateMaxEventSize`],
          maxBatchSize: flags[`audit${name}TruncateMaxBatchSize`],
        }
      : undefined,
  };
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("a number from 0 on is expected");
  return value;
}

function parsePositive(text: string): number {
  const value = parseNumber(text);
  if (value === 0) throw new InvalidArgumentError("must be a positive number");
  return value;
}

function parseRate(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value === 0) throw new InvalidArgumentError("must be a positive number");
  return value;
}

function parseWait(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    throw new InvalidArgumentError("a duration such as 30s is expected");
  }
}
