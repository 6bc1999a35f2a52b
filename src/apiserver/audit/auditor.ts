import type { Clock } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { AuditDelivery } from "./backend.js";
import { Deliverer } from "./deliverer.js";
import { type AuditEvent, type AuditLevel, legacyLine } from "./event.js";
import { auditMetricsText } from "./metrics.js";
import type { AuditPolicy } from "./policy.js";
import { type AuditDecision, auditDecisions } from "./policy-rules.js";
import { type AuditedRequest, RequestAudit } from "./request-audit.js";

export interface AuditOptions {
  readonly policy: AuditPolicy;
  /** Each gets all events. */
  readonly backends: readonly AuditDelivery[];
}

/** Decides what is recorded of each request, and hands the events to the backends. */
export class Auditor implements AsyncDisposable {
  readonly #decide: ReturnType<typeof auditDecisions>;
  readonly #deliverers: readonly Deliverer[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #levels = new Map<AuditLevel, number>();
  readonly #errors = new Map<string, number>();
  #events = 0;
  #rejected = 0;

  constructor(
    { policy, backends }: AuditOptions,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#decide = auditDecisions(policy);
    this.#deliverers = backends.map((delivery) => new Deliverer(delivery, { clock, lost: this.#lost }));
    this.#clock = clock;
    this.#logger = logger;
  }

  /** undefined: nothing of the request is recorded. */
  begin(request: AuditedRequest): RequestAudit | undefined {
    const decision = this.#decide(request.attributes);
    this.#levels.set(decision.level, (this.#levels.get(decision.level) ?? 0) + 1);
    return decision.level === "None" ? undefined : this.#begin(request, decision);
  }

  #begin(request: AuditedRequest, decision: AuditDecision): RequestAudit {
    return new RequestAudit(request, decision, { now: () => this.#clock.now(), emit: (event) => this.#emit(event) });
  }

  /** For `/metrics`. */
  metricsText(): string {
    return auditMetricsText({
      events: this.#events,
      rejected: this.#rejected,
      errors: this.#errors,
      levels: this.#levels,
    });
  }

  /** A request was refused because its first event could not be taken. */
  refused(): void {
    this.#rejected++;
  }

  /** Sends what is still kept; then nothing is taken any more. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#deliverers.map((each) => each[Symbol.asyncDispose]()));
  }

  /** Whether the request may go on; a promise where it has to wait for that. Never rejects. */
  #emit(event: AuditEvent): boolean | Promise<boolean> {
    this.#events++;
    let taken: boolean | Promise<boolean> = true;
    for (const deliverer of this.#deliverers) {
      const written = deliverer.write(event);
      if (written !== true) taken = both(taken, written);
    }
    return taken;
  }

  readonly #lost = (plugin: string, error: unknown, events: readonly AuditEvent[]): void => {
    this.#errors.set(plugin, (this.#errors.get(plugin) ?? 0) + events.length);
    const [first] = events;
    const fields = { plugin, count: events.length, error, first: first && legacyLine(first) };
    this.#logger.error("audit events are lost", fields);
  };
}

function both(one: boolean | Promise<boolean>, other: boolean | Promise<boolean>): boolean | Promise<boolean> {
  if (typeof one === "boolean" && typeof other === "boolean") return one && other;
  return Promise.all([one, other]).then(([left, right]) => left && right);
}
