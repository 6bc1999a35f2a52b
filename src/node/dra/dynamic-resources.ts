import { type Container, type Pod, type ResourceClaim, resourceClaims } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, every } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { ClaimAnswer, ClaimReference, DraPluginCalls } from "./plugin.js";
import { checkClaim, type NeededClaim, neededClaims, requestsOf } from "./pod-claims.js";
import type { PreparedClaim, PreparedClaims } from "./prepared-claims.js";

export interface DynamicResourcesOptions {
  readonly client: Client;
  readonly claims: PreparedClaims;
  readonly plugins: {
    /** Throws in upstream's words when there is none. */
    get(driver: string): DraPluginCalls;
  };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** As upstream looks for what pods left behind that are gone. */
const reconcileMs = 60_000;

/**
 * Has the devices of ResourceClaims made ready by their drivers before the first pod that uses them starts, and put back when the last
 * one on this node has ended. A claim is worked on by one pod at a time.
 */
export class DynamicResources {
  readonly #own: DynamicResourcesOptions;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: DynamicResourcesOptions) {
    this.#own = options;
  }

  /** Takes care of claims of pods that are gone, until `signal` aborts. To be called when all pods of the node are known. */
  async run(signal: AbortSignal, isActive: (podUid: string) => boolean): Promise<void> {
    const { clock, logger, claims } = this.#own;
    await every(clock, reconcileMs, signal, async () => {
      for (const podUid of claims.podUids()) {
        if (isActive(podUid)) continue;
        await this.unprepare(podUid, signal).catch((error: unknown) => {
          if (!signal.aborted) logger.warn("what a pod that is gone had cannot be put back yet", { podUid, error });
        });
      }
    });
  }

  /** Rejects in upstream's words, and is to be called again, while the pod cannot have all that it claims. */
  async prepare(pod: Pod, signal: AbortSignal): Promise<void> {
    try {
      const needed = neededClaims(pod);
      if (needed.length === 0) return;
      const { namespace = "" } = pod.metadata;
      const keys = needed.map(({ name }) => `${namespace}/${name}`);
      await this.#inTurn(keys, () => this.#prepare(pod, needed, signal));
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`prepare dynamic resources: ${wordsOf(error)}`, { cause: error });
    }
  }

  /** By the Container Device Interface: what a container of a prepared pod is to have. Throws when the pod is not prepared. */
  cdiDevices(pod: Pod, container: Container): readonly string[] {
    const { namespace = "" } = pod.metadata;
    const found = new Set<string>();
    for (const [name, requests] of requestsOf(pod, container)) {
      const claim = this.#own.claims.get(namespace, name);
      if (claim === undefined) {
        throw new Error(`unable to get claim info for ResourceClaim ${name} in namespace ${namespace}`);
      }
      for (const { requestNames, cdiDeviceIds } of [...claim.drivers.values()].flat()) {
        if (requests.some((request) => isFor(requestNames, request))) for (const id of cdiDeviceIds) found.add(id);
      }
    }
    return [...found];
  }

  /** To be called when all containers of the pod have ended. Rejects in upstream's words, and is to be called again, when a driver cannot. */
  async unprepare(podUid: string, signal: AbortSignal): Promise<void> {
    const claims = this.#own.claims.of(podUid);
    if (claims.length === 0) return;
    const keys = claims.map(({ namespace, name }) => `${namespace}/${name}`);
    try {
      await this.#inTurn(keys, () => this.#unprepare(podUid, signal));
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`unprepare dynamic resources: ${wordsOf(error)}`, { cause: error });
    }
  }

  async #prepare(pod: Pod, needed: readonly NeededClaim[], signal: AbortSignal): Promise<void> {
    const { claims, plugins } = this.#own;
    const { namespace = "", uid } = pod.metadata;
    signal.throwIfAborted();
    const found = await Promise.all(needed.map((one) => this.#fetch(pod, one, signal)));
    // Nothing is noted before all is known to be there: who is not noted can be deleted without a driver.
    for (const claim of found) for (const driver of driversOf(claim)) plugins.get(driver);
    for (const { metadata } of found) {
      const known = claims.get(namespace, metadata.name);
      if (known === undefined || known.uid === metadata.uid) continue;
      throw new Error(
        `old ResourceClaim with same name ${metadata.name} and different UID ${known.uid} still exists (previous pod force-deleted?!)`,
      );
    }
    const using = found.map((claim): PreparedClaim => {
      const { name, uid: claimUid } = claim.metadata;
      const known = claims.get(namespace, name) ?? {
        ...{ namespace, uid: claimUid, name, podUids: new Set<string>(), prepared: false },
        drivers: new Map(driversOf(claim).map((driver) => [driver, []])),
      };
      known.podUids.add(uid);
      claims.add(known);
      return known;
    });
    // Before any driver is asked: what was begun has to be taken back, whatever happens.
    await save(claims);
    const batches = byDriver(using.filter(({ prepared }) => !prepared));
    for (const [driver, batch] of batches) {
      const plugin = plugins.get(driver);
      const answers = await ask("NodePrepareResources", batch, () => plugin.prepare(batch.map(referenceOf), signal));
      for (const claim of batch) claim.drivers.set(driver, answers[claim.uid]?.devices ?? []);
    }
    for (const claim of using) claim.prepared = true;
    if (batches.size > 0) await save(claims);
  }

  async #fetch(pod: Pod, needed: NeededClaim, signal: AbortSignal): Promise<ResourceClaim> {
    const { namespace } = pod.metadata;
    const key = { namespace, name: needed.name };
    const claim = await this.#own.client.get(resourceClaims, key, { signal }).catch((error: unknown) => {
      throw new Error(`fetch ResourceClaim ${needed.name}: ${wordsOf(error)}`, { cause: error });
    });
    checkClaim(pod, claim, needed);
    return claim;
  }

  async #unprepare(podUid: string, signal: AbortSignal): Promise<void> {
    const { claims, plugins } = this.#own;
    signal.throwIfAborted();
    const used = claims.of(podUid);
    const last = used.filter(({ podUids }) => podUids.size === 1);
    for (const [driver, batch] of byDriver(last)) {
      const plugin = plugins.get(driver);
      await ask("NodeUnprepareResources", batch, () => plugin.unprepare(batch.map(referenceOf), signal));
    }
    for (const claim of used) claim.podUids.delete(podUid);
    for (const claim of last) claims.delete(claim);
    await save(claims);
  }

  /** When all that was begun before with any of these is done. */
  #inTurn<Result>(keys: readonly string[], work: () => Promise<Result>): Promise<Result> {
    const before = Promise.all(keys.map((key) => this.#turns.get(key)));
    const result = before.then(work);
    const done = result
      .catch(() => {})
      .then(() => {
        for (const key of keys) if (this.#turns.get(key) === done) this.#turns.delete(key);
      });
    for (const key of keys) this.#turns.set(key, done);
    return result;
  }
}

/** A device of a subrequest, `request/subrequest`, is one of the request. */
function isFor(requestNames: readonly string[], request: string): boolean {
  if (request === "" || requestNames.length === 0) return true;
  return requestNames.some((name) => name === request || name.startsWith(`${request}/`));
}

function driversOf({ status }: ResourceClaim): readonly string[] {
  return [...new Set((status?.allocation?.devices?.results ?? []).map(({ driver }) => driver))];
}

function byDriver(claims: readonly PreparedClaim[]): ReadonlyMap<string, readonly PreparedClaim[]> {
  const batches = new Map<string, PreparedClaim[]>();
  for (const claim of claims) {
    for (const driver of claim.drivers.keys()) batches.set(driver, [...(batches.get(driver) ?? []), claim]);
  }
  return batches;
}

function referenceOf({ namespace, uid, name }: PreparedClaim): ClaimReference {
  return { namespace, uid, name };
}

/** Rejects unless there is a good answer to each of the claims, and to no other. */
async function ask<Answer extends ClaimAnswer>(
  method: string,
  batch: readonly ClaimReference[],
  call: () => Promise<Readonly<Record<string, Answer>>>,
): Promise<Readonly<Record<string, Answer>>> {
  const answers = await call().catch((error: unknown) => {
    throw new Error(`${method}: ${wordsOf(error)}`, { cause: error });
  });
  for (const [uid, { error }] of Object.entries(answers)) {
    const claim = batch.find((one) => one.uid === uid);
    if (claim === undefined) throw new Error(`${method} returned result for unknown claim UID ${uid}`);
    if (error !== "") throw new Error(`${method} failed for ResourceClaim ${claim.name}: ${error}`);
  }
  const skipped = batch.length - Object.keys(answers).length;
  if (skipped !== 0) throw new Error(`${method} skipped ${skipped} ResourceClaims`);
  return answers;
}

async function save(claims: PreparedClaims): Promise<void> {
  try {
    await claims.save();
  } catch (error) {
    throw new Error(`checkpoint ResourceClaim state: ${wordsOf(error)}`, { cause: error });
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
