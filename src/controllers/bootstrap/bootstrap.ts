import { type ConfigMap, configMaps, isStatusError, type Secret, secrets } from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";
import { equalJson } from "../shared/hash.js";
import { deleteExactly } from "../shared/write-status.js";
import { detachedSignature, expiryMs, signingToken, tokenType } from "./bootstrap-token.js";

const tokens = { namespace: "kube-system" } as const;
const info = { namespace: "kube-public", fieldSelector: "metadata.name=cluster-info" } as const;
const infoKey = "kube-public/cluster-info";
const signaturePrefix = "jws-kubeconfig-";

/** Signs the kubeconfig in `kube-public/cluster-info` with every bootstrap token that may, so that who has one can trust it. */
export const bootstrapSigner: Controller = defineStatefulController({
  name: "bootstrap-signer-controller",
  aliases: ["bootstrapsigner"],
  account: "bootstrap-signer",
  optIn: true,
  concurrency: 1,
  prepare: (context, enqueue) => {
    const known = context.informer(secrets, tokens);
    const infos = context.informer(configMaps, info);
    const look = (): void => enqueue(infoKey);
    const tokenChanged = ({ type }: Secret): void => {
      if (type === tokenType) look();
    };
    known.addHandler({ add: tokenChanged, update: (_, secret) => tokenChanged(secret), delete: tokenChanged });
    infos.addHandler({ add: look, update: look });
    return async (_, { client, clock, signal }) => {
      const signed = infos.get(infoKey);
      const content = signed?.data?.["kubeconfig"];
      if (signed === undefined || content === undefined) return undefined;
      const now = clock.now();
      const data: Record<string, string> = { ...withoutSignatures(signed) };
      let next = Number.POSITIVE_INFINITY;
      for (const secret of known.list()) {
        const token = signingToken(secret, now);
        if (token === undefined) continue;
        data[`${signaturePrefix}${token.id}`] = detachedSignature(content, token.id, token.secret);
        next = Math.min(next, expiryMs(secret));
      }
      if (!equalJson(signed.data ?? {}, data)) {
        try {
          await client.update(configMaps, { ...signed, data }, { signal });
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      }
      return next === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs: next - now };
    };
  },
});

function withoutSignatures({ data = {} }: ConfigMap): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !key.startsWith(signaturePrefix)));
}

/** Deletes bootstrap tokens that have expired. */
export const tokenCleaner: Controller = defineStatefulController({
  name: "token-cleaner-controller",
  aliases: ["tokencleaner"],
  account: "token-cleaner",
  optIn: true,
  concurrency: 1,
  prepare: (context, enqueue) => {
    const known = context.informer(secrets, tokens);
    const changed = ({ type, metadata }: Secret): void => {
      if (type === tokenType) enqueue(`${metadata.namespace}/${metadata.name}`);
    };
    known.addHandler({ add: changed, update: (_, secret) => changed(secret) });
    return async (key, { client, clock, signal }) => {
      const secret = known.get(key);
      if (secret === undefined || secret.type !== tokenType) return undefined;
      const leftMs = expiryMs(secret) - clock.now();
      if (leftMs === Number.POSITIVE_INFINITY) return undefined;
      if (leftMs > 0) return { requeueAfterMs: leftMs };
      await deleteExactly(client, secrets, secret, { signal });
      return undefined;
    };
  },
});
