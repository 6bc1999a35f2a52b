import { X509Certificate } from "node:crypto";
import { type CertificateSigningRequest, certificateSigningRequests } from "../../api/index.js";
import { every } from "../../internal/clock.js";
import type { Controller, ControllerContext, RunningController } from "../controller.js";
import { findCondition } from "../shared/conditions.js";
import { deleteExactly } from "../shared/write-status.js";

const periodMs = 3_600_000;
const decidedMs = 3_600_000;
const pendingMs = 24 * 3_600_000;

/** Deletes requests for certificates that nobody needs any more: who asked has fetched the answer, or never will. */
export const certificateCleanerController: Controller = {
  name: "certificatesigningrequest-cleaner-controller",
  aliases: ["csrcleaner"],
  account: "certificate-controller",
  setup: (context) => new Cleaner(context),
};

class Cleaner implements RunningController {
  readonly #context: ControllerContext;
  #busy = false;

  constructor(context: ControllerContext) {
    this.#context = context;
    context.informer(certificateSigningRequests);
  }

  get idle(): boolean {
    return !this.#busy;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, informer, logger } = this.#context;
    await every(clock, periodMs, signal, async () => {
      this.#busy = true;
      try {
        for (const request of [...informer(certificateSigningRequests).list()]) {
          if (isOver(request, clock.now()))
            await deleteExactly(client, certificateSigningRequests, request, { signal });
        }
      } catch (error) {
        if (!signal.aborted) logger.warn("cannot clean certificate requests", { error });
      }
      this.#busy = false;
    });
  }
}

function isOver({ metadata, status }: CertificateSigningRequest, now: number): boolean {
  const { conditions = [], certificate } = status ?? {};
  const olderThan = (time: string | undefined, ageMs: number): boolean => now - Date.parse(time ?? "") > ageMs;
  if (conditions.length === 0 && !certificate) return olderThan(metadata.creationTimestamp, pendingMs);
  const since = (type: string): string | undefined => findCondition(conditions, type)?.lastUpdateTime;
  if (olderThan(since("Denied"), decidedMs) || olderThan(since("Failed"), decidedMs)) return true;
  if (!certificate) return false;
  return olderThan(since("Approved"), decidedMs) || hasExpired(certificate, now);
}

function hasExpired(encoded: string, now: number): boolean {
  try {
    return Date.parse(new X509Certificate(Buffer.from(encoded, "base64")).validTo) < now;
  } catch {
    return false;
  }
}
