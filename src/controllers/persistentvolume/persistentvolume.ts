import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
  type StorageClass,
  storageClasses,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { getOrUndefined, writeStatus } from "../shared/write-status.js";
import { classNameOf, defaultClass, findVolume, isReservedFor, mismatch } from "./matching.js";

const bindCompleted = "pv.kubernetes.io/bind-completed";
const boundByController = "pv.kubernetes.io/bound-by-controller";
const provisionedBy = "pv.kubernetes.io/provisioned-by";
const selectedNode = "volume.kubernetes.io/selected-node";
const provisionerAnnotations = [
  "volume.beta.kubernetes.io/storage-provisioner",
  "volume.kubernetes.io/storage-provisioner",
];
const noProvisioner = "kubernetes.io/no-provisioner";
/** What waits for others is looked at again so often. */
const resyncMs = 15_000;

/**
 * Binds claims to volumes, each to one; asks external provisioners for volumes that are missing; and says of volumes whether they are
 * available, bound, or released by a claim that is gone.
 */
export const persistentVolumeBinder: Controller = defineStatefulController<PersistentVolumeClaim>({
  name: "persistentvolume-binder-controller",
  aliases: ["persistentvolume-binder"],
  account: "persistent-volume-binder",
  // Two claims must not be given the same volume.
  concurrency: 1,
  prepare: (context, enqueue) => {
    const claims = context.informer(persistentVolumeClaims);
    const volumes = context.informer(persistentVolumes);
    const classes = context.informer(storageClasses);
    const onClaim = (claim: PersistentVolumeClaim): void => {
      enqueue(claimKey(claim));
      if (claim.spec?.volumeName) enqueue(volumeKey(claim.spec.volumeName));
    };
    const onVolume = (volume: PersistentVolume): void => {
      enqueue(volumeKey(volume.metadata.name));
      const { claimRef } = volume.spec ?? {};
      if (claimRef !== undefined) enqueue(`claim:${claimRef.namespace}/${claimRef.name}`);
    };
    /** Something new may suit those that wait. */
    const retry = (): void => {
      for (const claim of claims.list()) if (!isComplete(claim)) enqueue(claimKey(claim));
    };
    claims.addHandler({ add: onClaim, update: (_, claim) => onClaim(claim), delete: onClaim });
    volumes.addHandler({
      add: onVolume,
      update: (old, volume) => {
        onVolume(volume);
        if (volume.status?.phase === "Available" && old.status?.phase !== "Available") retry();
      },
      delete: onVolume,
    });
    classes.addHandler({ add: retry, update: retry });
    return async (key, reconcile) => {
      const binder = new Binder(reconcile, claims, volumes, classes);
      const name = key.slice(key.indexOf(":") + 1);
      if (key.startsWith("volume:")) {
        const volume = volumes.get(name);
        return volume === undefined ? undefined : binder.syncVolume(volume);
      }
      const claim = claims.get(name);
      return claim === undefined ? undefined : binder.syncClaim(claim);
    };
  },
});

const claimKey = ({ metadata }: PersistentVolumeClaim): string => `claim:${metadata.namespace}/${metadata.name}`;
const volumeKey = (name: string): string => `volume:${name}`;

function isComplete({ metadata: { annotations } }: PersistentVolumeClaim): boolean {
  return annotations !== undefined && Object.hasOwn(annotations, bindCompleted);
}

type Result = { readonly requeueAfterMs: number } | undefined;

class Binder {
  readonly #context: ReconcileContext;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;

  constructor(
    context: ReconcileContext,
    claims: Informer<PersistentVolumeClaim>,
    volumes: Informer<PersistentVolume>,
    classes: Informer<StorageClass>,
  ) {
    this.#context = context;
    this.#claims = claims;
    this.#volumes = volumes;
    this.#classes = classes;
  }

  syncClaim(claim: PersistentVolumeClaim): Promise<Result> {
    return isComplete(claim) ? this.#syncBound(claim) : this.#syncUnbound(claim);
  }

  async #syncBound(claim: PersistentVolumeClaim): Promise<Result> {
    const lose = (reason: string, message: string): Promise<Result> => this.#lose(claim, reason, message);
    const { volumeName } = claim.spec ?? {};
    if (!volumeName) {
      return lose("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    }
    const volume = this.#volumes.get(volumeName);
    if (volume === undefined) {
      return lose("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    }
    const uid = volume.spec?.claimRef?.uid;
    if (volume.spec?.claimRef === undefined || uid === claim.metadata.uid) return this.#bind(volume, claim);
    return lose("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly");
  }

  async #syncUnbound(claim: PersistentVolumeClaim): Promise<Result> {
    const { events } = this.#context;
    const { volumeName } = claim.spec ?? {};
    if (!volumeName) return this.#search(claim);
    const volume = this.#volumes.get(volumeName);
    if (volume === undefined) return this.#pend(claim);
    if (volume.spec?.claimRef === undefined) {
      const why = mismatch(volume, claim);
      if (why === undefined) return this.#bind(volume, claim);
      events.event(claim, "Warning", "VolumeMismatch", `Cannot bind to requested volume ${quoted(volumeName)}: ${why}`);
      return this.#pend(claim);
    }
    if (isReservedFor(volume, claim)) return this.#bind(volume, claim);
    const why = `volume ${quoted(volumeName)} already bound to a different claim.`;
    events.event(claim, "Warning", "FailedBinding", why);
    return this.#pend(claim);
  }

  async #search(claim: PersistentVolumeClaim): Promise<Result> {
    const { events } = this.#context;
    const className = classNameOf(claim);
    const storageClass = this.#classes.get(className);
    const waits = storageClass?.volumeBindingMode === "WaitForFirstConsumer";
    const volume = findVolume(claim, this.#volumes.list(), waits);
    if (volume !== undefined) return this.#bind(volume, claim);
    if (claim.spec?.storageClassName === undefined && className === "") {
      // A default class may have come after the claim.
      const given = defaultClass(this.#classes.list());
      if (given !== undefined) return this.#assignClass(claim, given.metadata.name);
    }
    if (waits && claim.metadata.annotations?.[selectedNode] === undefined) {
      const why = "waiting for first consumer to be created before binding";
      events.event(claim, "Normal", "WaitForFirstConsumer", why);
    } else if (className !== "") {
      await this.#provision(claim, className, storageClass);
    } else {
      const why = "no persistent volumes available for this claim and no storage class is set";
      events.event(claim, "Normal", "FailedBinding", why);
    }
    return this.#pend(claim);
  }

  async #assignClass(claim: PersistentVolumeClaim, storageClassName: string): Promise<Result> {
    const { client, signal } = this.#context;
    const spec = { ...claim.spec, storageClassName };
    await client.update(persistentVolumeClaims, { ...claim, spec }, { signal });
    return undefined;
  }

  /** Nothing is made here: the claim is marked for the provisioner of its class. */
  async #provision(
    claim: PersistentVolumeClaim,
    className: string,
    storageClass: StorageClass | undefined,
  ): Promise<void> {
    const { client, events, signal } = this.#context;
    if (storageClass === undefined) {
      const why = `storageclass.storage.k8s.io ${quoted(className)} not found`;
      events.event(claim, "Warning", "ProvisioningFailed", why);
      return;
    }
    const { provisioner } = storageClass;
    if (provisioner === noProvisioner) {
      const why = "no volume plugin matched name: kubernetes.io/no-provisioner";
      events.event(claim, "Warning", "ProvisioningFailed", why);
      return;
    }
    const { annotations } = claim.metadata;
    if (!provisionerAnnotations.every((name) => annotations?.[name] === provisioner)) {
      const marks = Object.fromEntries(provisionerAnnotations.map((name) => [name, provisioner]));
      const metadata = { ...claim.metadata, annotations: { ...annotations, ...marks } };
      await client.update(persistentVolumeClaims, { ...claim, metadata }, { signal });
    }
    const why = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    events.event(claim, "Normal", "ExternalProvisioning", why);
  }

  /** Four writes, each of which may be the last for now: whoever comes next goes on from there. */
  async #bind(found: PersistentVolume, claim: PersistentVolumeClaim): Promise<Result> {
    const { client, signal } = this.#context;
    const { namespace, name, uid, resourceVersion } = claim.metadata;
    let volume = found;
    if (volume.spec?.claimRef?.uid !== uid) {
      const claimRef = { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name, uid, resourceVersion };
      const reserved = volume.spec?.claimRef !== undefined;
      const metadata = reserved ? volume.metadata : annotated(volume.metadata, { [boundByController]: "yes" });
      const spec = { ...volume.spec, claimRef } as PersistentVolume["spec"];
      volume = await client.update(persistentVolumes, { ...volume, metadata, ...(spec && { spec }) }, { signal });
    }
    await this.#phase(volume, "Bound");
    let bound = claim;
    if (claim.spec?.volumeName !== volume.metadata.name || !isComplete(claim)) {
      const byUs = claim.spec?.volumeName ? {} : { [boundByController]: "yes" };
      const metadata = annotated(claim.metadata, { ...byUs, [bindCompleted]: "yes" });
      const spec = { ...claim.spec, volumeName: volume.metadata.name };
      bound = await client.update(persistentVolumeClaims, { ...claim, metadata, spec }, { signal });
    }
    const { accessModes = [], capacity = {} } = volume.spec ?? {};
    // A volume that is grown says itself when it has.
    const status = {
      ...bound.status,
      phase: "Bound",
      accessModes,
      capacity: bound.status?.phase === "Bound" ? (bound.status.capacity ?? capacity) : capacity,
    };
    await writeStatus(client, persistentVolumeClaims, bound, status, signal);
    return undefined;
  }

  async #pend(claim: PersistentVolumeClaim): Promise<Result> {
    const { client, signal } = this.#context;
    await writeStatus(client, persistentVolumeClaims, claim, { ...claim.status, phase: "Pending" }, signal);
    return { requeueAfterMs: resyncMs };
  }

  async #lose(claim: PersistentVolumeClaim, reason: string, message: string): Promise<Result> {
    const { client, events, signal } = this.#context;
    if (claim.status?.phase === "Lost") return undefined;
    const { accessModes: _, capacity: __, ...status } = claim.status ?? {};
    await writeStatus(client, persistentVolumeClaims, claim, { ...status, phase: "Lost" }, signal);
    events.event(claim, "Warning", reason, message);
    return undefined;
  }

  async syncVolume(volume: PersistentVolume): Promise<Result> {
    const { claimRef } = volume.spec ?? {};
    if (claimRef === undefined || !claimRef.uid) return this.#phase(volume, "Available");
    const claim = await this.#claimOf(claimRef);
    if (claim === undefined) return this.#release(volume);
    const { name, annotations } = volume.metadata;
    const { volumeName } = claim.spec ?? {};
    if (!volumeName) {
      this.#context.enqueue(claimKey(claim));
      return undefined;
    }
    if (volumeName === name) return this.#phase(volume, "Bound");
    // The claim went to another volume.
    if (annotations?.[provisionedBy] !== undefined && volume.spec?.persistentVolumeReclaimPolicy === "Delete") {
      return this.#release(volume);
    }
    return this.#unbind(volume);
  }

  /** The claim that the volume was bound to; one of the same name that came later is another. */
  async #claimOf({
    namespace = "",
    name = "",
    uid = "",
  }: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  }): Promise<PersistentVolumeClaim | undefined> {
    const cached = this.#claims.get(`${namespace}/${name}`);
    if (cached?.metadata.uid === uid) return cached;
    // What the cache does not have yet is not gone: data would be lost.
    const { client, signal } = this.#context;
    const live = await getOrUndefined(client, persistentVolumeClaims, { metadata: { namespace, name } }, signal);
    return live?.metadata.uid === uid ? live : undefined;
  }

  async #release(volume: PersistentVolume): Promise<Result> {
    const { phase } = volume.status ?? {};
    if (phase !== "Failed") await this.#phase(volume, "Released");
    const { persistentVolumeReclaimPolicy: policy = "Retain", csi } = volume.spec ?? {};
    const external = csi !== undefined || volume.metadata.annotations?.[provisionedBy] !== undefined;
    if (policy === "Retain" || (policy === "Delete" && external) || phase === "Failed") return undefined;
    const { name } = volume.metadata;
    const [reason, message] =
      policy === "Delete"
        ? [
            "VolumeFailedDelete",
            `error getting deleter volume plugin for volume ${quoted(name)}: no deletable volume plugin matched`,
          ]
        : ["VolumeFailedRecycle", "No recycler plugin found for the volume!"];
    this.#context.events.event(volume, "Warning", reason, message);
    await this.#phase(volume, "Failed", message);
    return undefined;
  }

  /** Gives the volume back: to anybody, or to the one whose name a person wrote there. */
  async #unbind(volume: PersistentVolume): Promise<Result> {
    const { client, signal } = this.#context;
    const { claimRef, ...spec } = volume.spec ?? {};
    const { [boundByController]: ours, ...annotations } = volume.metadata.annotations ?? {};
    const { uid: _, resourceVersion: __, ...reserved } = claimRef ?? {};
    const free = ours === undefined ? { ...spec, claimRef: reserved } : spec;
    const metadata = { ...volume.metadata, annotations };
    const given = await client.update(persistentVolumes, { ...volume, metadata, spec: free }, { signal });
    return this.#phase(given, "Available");
  }

  async #phase(volume: PersistentVolume, phase: string, message?: string): Promise<Result> {
    const { client, signal } = this.#context;
    if (volume.status?.phase === phase && volume.status.message === message) return undefined;
    const { message: _, reason: __, ...kept } = volume.status ?? {};
    const status = { ...kept, phase, ...(message === undefined ? {} : { message }) };
    await writeStatus(client, persistentVolumes, volume, status, signal);
    return undefined;
  }
}

function annotated<T extends { readonly annotations?: { readonly [name: string]: string } }>(
  metadata: T,
  more: { readonly [name: string]: string },
): T {
  return { ...metadata, annotations: { ...metadata.annotations, ...more } };
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
