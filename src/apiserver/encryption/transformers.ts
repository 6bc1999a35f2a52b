import { type Cipher, cipherOf } from "./ciphers.js";
import { type EncryptionProvider, type EncryptionRule, parseName } from "./configuration.js";

/** A value that no key opens; it says which, and why. */
export class EncryptionError extends Error {
  override readonly name = "EncryptionError";
}

export interface StoredValue {
  readonly value: Buffer;
  /** It is not as it would be written now. */
  readonly stale: boolean;
}

/** What values of one resource become in the store, and back. */
export interface ValueTransformer {
  toStorage(value: Buffer, key: string): Buffer;
  /** Throws EncryptionError. */
  fromStorage(value: Buffer, key: string): StoredValue;
}

/** Finds how a resource is kept. */
export type TransformerLookup = (group: string, resource: string) => ValueTransformer;

/** What every encrypted value begins with. */
const sealedPrefix = Buffer.from("k8s:enc:");

/** Makes the transformers of a configuration: by resource, by `*.group`, by `*.*`, and otherwise as it is. */
export async function transformersOf(rules: readonly EncryptionRule[]): Promise<TransformerLookup> {
  const links = new Map<string, Link[]>();
  for (const { resources, providers } of rules) {
    const made = (await Promise.all(providers.map(linksOf))).flat();
    for (const name of resources) {
      const { resource, group } = parseName(name);
      const key = `${resource}.${group}`;
      links.set(key, [...(links.get(key) ?? []), ...made]);
    }
  }
  const transformers = new Map([...links].map(([key, each]) => [key, chain(each)]));
  const plain = chain([identity]);
  return (group, resource) =>
    transformers.get(`${resource}.${group}`) ?? transformers.get(`*.${group}`) ?? transformers.get("*.*") ?? plain;
}

/** One key, and what values begin with that it sealed: byte for byte as upstream has it. */
interface Link {
  readonly prefix: Buffer;
  readonly cipher: Cipher;
}

const same = (value: Buffer): Buffer => value;
const identity: Link = { prefix: Buffer.alloc(0), cipher: { seal: same, open: same } };

async function linksOf(provider: EncryptionProvider): Promise<readonly Link[]> {
  if (provider.type === "identity") return [identity];
  const { type, keys } = provider;
  return Promise.all(
    keys.map(async (key) => ({
      prefix: Buffer.from(`k8s:enc:${type}:v1:${key.name}:`),
      cipher: await cipherOf(type, key),
    })),
  );
}

function chain(links: readonly Link[]): ValueTransformer {
  const [first = identity] = links;
  return {
    toStorage: (value, key) => {
      const sealed = first.cipher.seal(value, Buffer.from(key));
      return first === identity ? sealed : Buffer.concat([first.prefix, sealed]);
    },
    fromStorage: (value, key) => {
      const errors: unknown[] = [];
      for (const [index, { prefix, cipher }] of links.entries()) {
        if (!startsWith(value, prefix)) continue;
        if (prefix.length === 0 && startsWith(value, sealedPrefix)) {
          errors.push(new Error("identity transformer tried to read encrypted data"));
          continue;
        }
        try {
          return { value: cipher.open(value.subarray(prefix.length), Buffer.from(key)), stale: index > 0 };
        } catch (error) {
          // Keys may share a name, as when one is replaced.
          errors.push(error);
        }
      }
      const why = errors.map((error) => (error instanceof Error ? error.message : String(error))).join(", ");
      const text = `unable to transform key ${JSON.stringify(key)}: ${why || "no matching prefix found"}`;
      throw new EncryptionError(text, { cause: errors[0] });
    },
  };
}

function startsWith(value: Buffer, prefix: Buffer): boolean {
  return value.length >= prefix.length && value.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}
