import type { Container, Pod } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { type Image, type ImageAuth, isRuntimeError, type Runtime } from "../../runtime/index.js";
import type { Waiting } from "./container-statuses.js";
import { formatSeconds, RestartBackoff } from "./restart-backoff.js";

export type ContainerEventSink = (type: "Normal" | "Warning", reason: string, message: string) => void;

export interface ImagePullerOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Credentials to try for a reference, from the pod's imagePullSecrets. */
  readonly credentials?: ((pod: Pod, reference: string) => Promise<readonly ImageAuth[]>) | undefined;
}

export type ImageResult =
  | { readonly image: Image; readonly waiting?: undefined }
  /** `retryInMs`: when a try makes sense again. */
  | { readonly waiting: Waiting; readonly retryInMs: number; readonly image?: undefined };

const maxKnown = 1000;

/** Gets containers their images by their pull policies, with upstream's events and back-off. */
export class ImagePuller {
  readonly #options: ImagePullerOptions;
  readonly #backoff = new RestartBackoff();
  readonly #lastErrors = new Map<string, string>();
  readonly #failedAt = new Map<string, number>();
  readonly #known = new Set<string>();

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  async ensure(pod: Pod, container: Container, event: ContainerEventSink, signal: AbortSignal): Promise<ImageResult> {
    const { runtime, clock } = this.#options;
    const named = container.image ?? "";
    const reference = withDefaultTag(named);
    if (!this.#valid(reference)) {
      const message = `Failed to apply default image tag "${named}": couldn't parse image name "${named}": invalid reference format`;
      event("Warning", "InspectFailed", message);
      return { waiting: { reason: "InvalidImageName", message }, retryInMs: 60_000 };
    }
    const policy = container.imagePullPolicy ?? (/:latest$/.test(reference) ? "Always" : "IfNotPresent");
    const present = policy === "Always" ? undefined : await runtime.imageStatus(reference, { signal });
    if (present !== undefined) {
      event("Normal", "Pulled", `Container image "${named}" already present on machine and can be accessed by the pod`);
      return { image: present };
    }
    if (policy === "Never") {
      const message = `Container image "${named}" is not present with pull policy of Never`;
      event("Warning", "ErrImageNeverPull", message);
      return { waiting: { reason: "ErrImageNeverPull", message }, retryInMs: 60_000 };
    }
    const key = `${pod.metadata.uid} ${reference}`;
    const left = this.#backoff.leftMs(key, this.#failedAt.get(key) ?? 0, clock.now());
    if (left > 0) {
      event("Normal", "BackOff", `Back-off pulling image "${named}"`);
      const last = this.#lastErrors.get(key);
      const message = `Back-off pulling image "${named}"${last === undefined ? "" : `: ErrImagePull: ${last}`}`;
      return { waiting: { reason: "ImagePullBackOff", message }, retryInMs: left };
    }
    return this.#pull(key, pod, named, reference, event, signal);
  }

  /** Drops what is known of a pod's failures. */
  forget(podUid: string): void {
    for (const key of this.#lastErrors.keys()) {
      if (!key.startsWith(`${podUid} `)) continue;
      this.#lastErrors.delete(key);
      this.#failedAt.delete(key);
      this.#backoff.forget(key);
    }
  }

  #valid(reference: string): boolean {
    if (this.#known.has(reference)) return true;
    if (!validReference(reference)) return false;
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.add(reference);
    return true;
  }

  async #pull(
    key: string,
    pod: Pod,
    named: string,
    reference: string,
    event: ContainerEventSink,
    signal: AbortSignal,
  ): Promise<ImageResult> {
    const { runtime, clock } = this.#options;
    const begun = clock.now();
    event("Normal", "Pulling", `Pulling image "${named}"`);
    try {
      const id = await this.#pullWith(pod, reference, signal);
      const image = (await runtime.imageStatus(id, { signal })) ?? (await runtime.imageStatus(reference, { signal }));
      const took = `${((clock.now() - begun) / 1000).toFixed(3).replace(/\.?0+$/, "")}s`;
      const size = image === undefined ? "" : ` Image size: ${image.sizeBytes} bytes.`;
      event("Normal", "Pulled", `Successfully pulled image "${named}" in ${took} (${took} including waiting).${size}`);
      this.#lastErrors.delete(key);
      this.#failedAt.delete(key);
      this.#backoff.forget(key);
      return { image: image ?? { id, repoTags: [reference], repoDigests: [], sizeBytes: 0 } };
    } catch (error) {
      if (signal.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const now = clock.now();
      this.#lastErrors.set(key, why);
      this.#backoff.next(key, now, now);
      this.#failedAt.set(key, now);
      event("Warning", "Failed", `Failed to pull image "${named}": ${why}`);
      const reason = isRuntimeError(error, "unavailable") ? "RegistryUnavailable" : "ErrImagePull";
      event("Warning", "Failed", `Error: ${reason}`);
      return { waiting: { reason, message: why }, retryInMs: this.#backoff.delayMs(key) };
    }
  }

  async #pullWith(pod: Pod, reference: string, signal: AbortSignal): Promise<string> {
    const { runtime, credentials } = this.#options;
    const tried = (await credentials?.(pod, reference)) ?? [];
    let last: unknown;
    for (const auth of tried) {
      try {
        return await runtime.pullImage(reference, { auth, signal });
      } catch (error) {
        last = error;
        if (signal.aborted) break;
      }
    }
    if (last !== undefined) throw last;
    return runtime.pullImage(reference, { signal });
  }
}

/** `nginx` names `nginx:latest`. */
function withDefaultTag(reference: string): string {
  if (reference.includes("@")) return reference;
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return name.includes(":") ? reference : `${reference}:latest`;
}

const path = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const host = "(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?";
const referencePattern = new RegExp(
  `^(?:${host}/)?${path}(?:/${path})*(?::[\\w][\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$`,
);

function validReference(reference: string): boolean {
  return reference.length <= 512 && referencePattern.test(reference);
}

export function crashLoopMessage(delayMs: number, container: string, pod: string): string {
  return `back-off ${formatSeconds(delayMs)} restarting failed container=${container} pod=${pod}`;
}
