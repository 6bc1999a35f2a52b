import { isStatusError, keyOf, type Secret, type ServiceAccount, secrets, serviceAccounts } from "../../api/index.js";
import type { Controller, ControllerContext } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { deleteExactly, getOrUndefined } from "../shared/write-status.js";

const secretType = "kubernetes.io/service-account-token";
const nameAnnotation = "kubernetes.io/service-account.name";
const uidAnnotation = "kubernetes.io/service-account.uid";
const ofType = { fieldSelector: `type=${secretType}` };
const byAccount = "account";

export interface TokenSecretOptions {
  /** Signs the token that a Secret of this account holds: good for as long as the Secret is there. */
  readonly sign: (secret: {
    readonly namespace: string;
    readonly secretName: string;
    readonly serviceAccount: { readonly name: string; readonly uid: string };
  }) => Promise<string>;
  /** PEM, put beside the token as `ca.crt`. Absent: none is. */
  readonly rootCa?: string | undefined;
}

/** Fills Secrets that ask for a token of a ServiceAccount, and deletes them with it. */
export function serviceAccountTokenController(options: TokenSecretOptions): Controller {
  return defineStatefulController<Secret>({
    name: "serviceaccount-token-controller",
    aliases: ["serviceaccount-token"],
    // As upstream's: it makes the credentials that the others work with.
    account: false,
    prepare: (context, enqueue) => {
      const tokens = new TokenSecrets(options, context, enqueue);
      return (key, reconcile) => tokens.reconcile(key, reconcile);
    },
  });
}

class TokenSecrets {
  readonly #options: TokenSecretOptions;
  readonly #context: ControllerContext;
  /** Deleted ones, which their account may still refer to. */
  readonly #gone = new Map<string, Secret>();

  constructor(options: TokenSecretOptions, context: ControllerContext, enqueue: (key: string) => void) {
    this.#options = options;
    this.#context = context;
    const informer = context.informer(secrets, ofType);
    informer.addIndex(byAccount, (secret) => {
      const name = accountNameOf(secret);
      return name === undefined ? [] : [`${secret.metadata.namespace}/${name}`];
    });
    const changed = (secret: Secret): void => enqueue(keyOf(secret));
    informer.addHandler({
      add: changed,
      update: (_, secret) => changed(secret),
      delete: (secret) => {
        const name = accountNameOf(secret);
        if (name === undefined) return;
        this.#gone.set(keyOf(secret), secret);
        enqueue(keyOf(secret));
      },
    });
    const ofAccount = (account: ServiceAccount): void => {
      for (const secret of informer.byIndex(byAccount, keyOf(account))) changed(secret);
    };
    context.informer(serviceAccounts).addHandler({ add: ofAccount, delete: ofAccount });
  }

  async reconcile(key: string, context: ReconcileContext): Promise<void> {
    const secret = this.#context.informer(secrets, ofType).get(key);
    if (secret === undefined) {
      const gone = this.#gone.get(key);
      if (gone !== undefined) await this.#forget(gone, context);
      this.#gone.delete(key);
      return;
    }
    this.#gone.delete(key);
    const name = accountNameOf(secret);
    if (name === undefined || secret.metadata.deletionTimestamp !== undefined) return;
    const account = await this.#accountOf(secret, name, context);
    if (account === undefined) await deleteExactly(context.client, secrets, secret, { signal: context.signal });
    else await this.#fill(secret, account, context);
  }

  /** The account that is meant; undefined when it is gone, or another one has its name now. */
  async #accountOf(
    { metadata }: Secret,
    name: string,
    { client, informer, signal }: ReconcileContext,
  ): Promise<ServiceAccount | undefined> {
    const { namespace = "" } = metadata;
    const wanted = metadata.annotations?.[uidAnnotation] || undefined;
    const matches = (account: ServiceAccount | undefined): boolean =>
      account !== undefined && (wanted === undefined || account.metadata.uid === wanted);
    const cached = informer(serviceAccounts).get(`${namespace}/${name}`);
    if (matches(cached)) return cached;
    // The cache may be behind; nothing is deleted on its word.
    const live = await getOrUndefined(client, serviceAccounts, { metadata: { namespace, name } }, signal);
    return matches(live) ? live : undefined;
  }

  async #fill(secret: Secret, account: ServiceAccount, { client, signal }: ReconcileContext): Promise<void> {
    const { metadata, data = {} } = secret;
    const { namespace = "" } = metadata;
    const { name, uid } = account.metadata;
    const rootCa = this.#options.rootCa === undefined ? undefined : encode(this.#options.rootCa);
    const added: Record<string, string> = {};
    if (rootCa !== undefined && data["ca.crt"] !== rootCa) added["ca.crt"] = rootCa;
    if (!data["namespace"]) added["namespace"] = encode(namespace);
    if (!data["token"]) {
      const serviceAccount = { name, uid };
      added["token"] = encode(await this.#options.sign({ namespace, secretName: metadata.name, serviceAccount }));
    }
    const annotated = metadata.annotations?.[uidAnnotation] === uid;
    if (annotated && Object.keys(added).length === 0) return;
    const annotations = { ...metadata.annotations, [nameAnnotation]: name, [uidAnnotation]: uid };
    const next = { ...secret, metadata: { ...metadata, annotations }, data: { ...data, ...added } };
    try {
      await client.update(secrets, next, { signal });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }

  /** Takes a Secret that is gone off its account's list. */
  async #forget(secret: Secret, { client, informer, signal }: ReconcileContext): Promise<void> {
    const { namespace = "", name, annotations } = secret.metadata;
    const accountKey = `${namespace}/${accountNameOf(secret)}`;
    const account = informer(serviceAccounts).get(accountKey);
    const listed = account?.secrets?.some((reference) => reference.name === name) ?? false;
    if (account === undefined || !listed) return;
    if (annotations?.[uidAnnotation] && annotations[uidAnnotation] !== account.metadata.uid) return;
    const live = await getOrUndefined(client, secrets, secret, signal);
    if (live !== undefined) return;
    const left = (account.secrets ?? []).filter((reference) => reference.name !== name);
    try {
      await client.update(serviceAccounts, { ...account, secrets: left }, { signal });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}

function accountNameOf({ type, metadata }: Secret): string | undefined {
  return type === secretType ? metadata.annotations?.[nameAnnotation] || undefined : undefined;
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
