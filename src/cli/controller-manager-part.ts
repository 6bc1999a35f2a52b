import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { inScope, usageOf } from "../apiserver/admission/quota-usage.js";
import { createTokenIssuer } from "../apiserver/authn/token-issuer.js";
import { certificateSigner } from "../cluster/certificate-signer.js";
import { ServiceAccountClients } from "../cluster/service-account-clients.js";
import {
  type BuiltinOptions,
  builtinControllers,
  type CertificateSigner,
  type TokenSecretOptions,
} from "../controllers/index.js";
import { createManager, type LeaderElectionOptions } from "../controllers/manager.js";
import { realClock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import { systemRandom } from "../internal/random.js";
import type { PartAccess } from "./part-commands.js";

export interface ControllerManagerFlags {
  readonly controllers: string;
  readonly useServiceAccountCredentials?: boolean | undefined;
  readonly rootCaFile?: string | undefined;
  readonly serviceAccountPrivateKeyFile?: string | undefined;
  readonly clusterSigningCertFile?: string | undefined;
  readonly clusterSigningKeyFile?: string | undefined;
  readonly allocateNodeCidrs?: boolean | undefined;
  readonly clusterCidr?: string | undefined;
}

/** Upstream's controller manager, by upstream's flags. */
export async function controllerManagerPart(
  { client, ca, transport, logger }: PartAccess,
  flags: ControllerManagerFlags,
  leaderElection: LeaderElectionOptions | undefined,
): Promise<Component> {
  const controllers = builtinControllers({ ...(await keysOf(flags, ca)), quota: { usageOf, inScope } });
  const clients = flags.useServiceAccountCredentials ? new ServiceAccountClients({ client, transport }) : undefined;
  const manager = createManager({
    client,
    clientFor:
      clients && ((account, controller) => clients.clientFor(account, `kube-controller-manager/${controller}`)),
    logger,
    controllers,
    select: flags.controllers.split(","),
    leaderElection,
  });
  return {
    name: manager.name,
    async run(context) {
      try {
        await manager.run(context);
      } finally {
        await clients?.[Symbol.asyncDispose]();
      }
    },
  };
}

async function keysOf(flags: ControllerManagerFlags, ca: string | undefined): Promise<BuiltinOptions> {
  const { rootCaFile, serviceAccountPrivateKeyFile, clusterSigningCertFile, clusterSigningKeyFile } = flags;
  if ((clusterSigningCertFile === undefined) !== (clusterSigningKeyFile === undefined))
    throw new Error("--cluster-signing-cert-file and --cluster-signing-key-file go together");
  if (flags.allocateNodeCidrs && !flags.clusterCidr) throw new Error("--allocate-node-cidrs needs --cluster-cidr");
  const text = (path: string): Promise<string> => readFile(path, "utf8");
  return {
    rootCa: rootCaFile === undefined ? ca : await text(rootCaFile),
    signToken:
      serviceAccountPrivateKeyFile === undefined ? undefined : tokenSigner(await text(serviceAccountPrivateKeyFile)),
    certificates:
      clusterSigningCertFile === undefined || clusterSigningKeyFile === undefined
        ? undefined
        : await authoritySigner(await text(clusterSigningCertFile), await text(clusterSigningKeyFile)),
    nodeIpam: flags.allocateNodeCidrs ? { clusterCidrs: (flags.clusterCidr ?? "").split(",") } : undefined,
  };
}

function tokenSigner(pem: string): TokenSecretOptions["sign"] {
  const key = createPrivateKey(pem);
  const privateKey = key.export({ type: "pkcs8", format: "pem" }).toString();
  const publicKey = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  // Tokens of Secrets have an issuer of their own, whatever that of the others is.
  const issuer = createTokenIssuer({
    issuer: "kubernetes/serviceaccount",
    keys: [{ privateKey, publicKey }],
    clock: realClock,
    random: systemRandom,
  });
  return (secret) => issuer.issueLegacy(secret);
}

async function authoritySigner(certificate: string, pem: string): Promise<CertificateSigner> {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1")
    throw new Error("--cluster-signing-key-file: only keys on the curve P-256 can be signed with");
  const { loadCertificateAuthority } = await import("../apiserver/pki/certificate-authority.js");
  const pkcs8 = key.export({ type: "pkcs8", format: "pem" }).toString();
  return certificateSigner(await loadCertificateAuthority({ certificate, key: pkcs8 }, realClock));
}
