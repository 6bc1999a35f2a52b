import { type JsonObject, type ServiceAccount, serviceAccounts } from "../../api/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import { type Random, randomSuffix } from "../../internal/random.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { isMirrorPod, onPods, type PodSpecLike, podSpecOf, refuse, withSpec } from "./objects.js";

const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";
/** The default account is made by a controller right after its namespace: it is waited for. */
const defaultAttempts = 10;
const attemptIntervalMs = 100;

type Container = NonNullable<PodSpecLike["containers"]>[number];
type Volume = NonNullable<PodSpecLike["volumes"]>[number];

/** Gives a pod its service account, that account's pull secrets, and a token to talk to the API with. */
export function serviceAccount(deps: {
  readonly cache: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly liveServiceAccount?: ((namespace: string, name: string) => Promise<ServiceAccount | undefined>) | undefined;
}): AdmissionPlugin {
  return {
    name: "ServiceAccount",
    handles: onPods(["CREATE"]),
    async admit(request) {
      const object = request.object ?? {};
      const spec = podSpecOf(object);
      if (isMirrorPod(object)) {
        refuseMirror(request, spec);
        return object;
      }
      const name = spec.serviceAccountName || "default";
      const account = await find(request, name);
      const token = automounts(account, spec) ? withToken(spec, deps.random) : {};
      const pull =
        !spec.imagePullSecrets?.length && account.imagePullSecrets?.length
          ? { imagePullSecrets: account.imagePullSecrets }
          : {};
      return withSpec(object, { serviceAccountName: name, serviceAccount: name, ...token, ...pull });
    },
  };

  async function find(request: AdmissionRequest, name: string): Promise<ServiceAccount> {
    const { namespace } = request;
    const attempts = name === "default" ? defaultAttempts : 1;
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 0) await sleep(deps.clock, attemptIntervalMs * (1 + deps.random.next()));
      const found =
        deps.cache.get(serviceAccounts, { namespace, name }) ?? (await deps.liveServiceAccount?.(namespace, name));
      if (found !== undefined) return found;
    }
    throw refuse(
      request,
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  }
}

function refuseMirror(request: AdmissionRequest, spec: PodSpecLike): void {
  if (spec.serviceAccountName) throw refuse(request, "a mirror pod may not reference service accounts");
  if ((spec.volumes ?? []).some((volume) => volume.secret !== undefined)) {
    throw refuse(request, "a mirror pod may not reference secrets");
  }
  if ((spec.volumes ?? []).some((volume) => volume.projected?.sources?.some((source) => source.serviceAccountToken))) {
    throw refuse(request, "a mirror pod may not use ServiceAccountToken volume projections");
  }
}

function automounts(account: ServiceAccount, spec: PodSpecLike): boolean {
  return spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
}

function withToken(spec: PodSpecLike, random: Random): Partial<JsonObject> {
  const known = (spec.volumes ?? []).find((volume) => volume.name.startsWith(volumePrefix) && holdsToken(volume));
  const name = known?.name ?? freshName(spec.volumes ?? [], random);
  const mount = { name, readOnly: true, mountPath };
  let needed = false;
  const mounted = (containers: readonly Container[] | undefined): readonly Container[] | undefined =>
    containers?.map((container) => {
      if ((container.volumeMounts ?? []).some((one) => one.mountPath === mountPath)) return container;
      needed = true;
      return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
    });
  const initContainers = mounted(spec.initContainers);
  const containers = mounted(spec.containers);
  if (!needed) return {};
  const volumes = known === undefined ? [...(spec.volumes ?? []), tokenVolume(name)] : spec.volumes;
  return {
    ...(initContainers === undefined ? {} : { initContainers }),
    ...(containers === undefined ? {} : { containers }),
    volumes,
  };
}

function holdsToken(volume: Volume): boolean {
  return (volume.projected?.sources ?? []).some((source) => source.serviceAccountToken?.path === "token");
}

function freshName(volumes: readonly Volume[], random: Random): string {
  for (;;) {
    const name = volumePrefix + randomSuffix(random);
    if (!volumes.some((volume) => volume.name === name)) return name;
  }
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}
