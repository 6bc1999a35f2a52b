import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPairPem } from "./certificate-authority.js";

/** A key pair that signs service account tokens: both in PEM. */
export interface SigningKeyPem {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Where certificates and keys are kept between starts. Names have no slashes. */
export interface PkiStorage {
  load(name: string): Promise<KeyPairPem | undefined>;
  save(name: string, pair: KeyPairPem): Promise<void>;
  loadKey(name: string): Promise<SigningKeyPem | undefined>;
  saveKey(name: string, pair: SigningKeyPem): Promise<void>;
}

/** A folder with kubeadm's file names: `ca.crt`, `ca.key`, `sa.pub`, `sa.key`. Keys are readable by their owner only. */
export function folderPkiStorage(folder: string): PkiStorage {
  const path = (file: string): string => join(folder, file.replaceAll("/", "_"));
  const load = async (first: string, second: string): Promise<readonly [string, string] | undefined> => {
    try {
      return await Promise.all([readFile(path(first), "utf8"), readFile(path(second), "utf8")]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  };
  // The key is written first: a certificate without its key would count as there.
  const save = async (keyFile: string, key: string, publicFile: string, content: string): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeWhole(path(keyFile), key, 0o600);
    await writeWhole(path(publicFile), content, 0o644);
  };
  return {
    async load(name) {
      const found = await load(`${name}.crt`, `${name}.key`);
      return found === undefined ? undefined : { certificate: found[0], key: found[1] };
    },
    save: (name, pair) => save(`${name}.key`, pair.key, `${name}.crt`, pair.certificate),
    async loadKey(name) {
      const found = await load(`${name}.pub`, `${name}.key`);
      return found === undefined ? undefined : { publicKey: found[0], privateKey: found[1] };
    },
    saveKey: (name, pair) => save(`${name}.key`, pair.privateKey, `${name}.pub`, pair.publicKey),
  };
}

/** A reader never sees half a file, and a crash leaves the old one or the new one. */
async function writeWhole(path: string, content: string, mode: number): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
