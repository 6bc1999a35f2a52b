import type { Component } from "../../internal/component.js";
import { type ReloadingFileOptions, reloadingFile } from "../reloading-file.js";
import { parseEncryptionConfiguration } from "./configuration.js";
import type { EncryptedStore } from "./encrypted-store.js";
import { transformersOf } from "./transformers.js";

export type ReloadOptions = Omit<ReloadingFileOptions, "name" | "apply">;

/** Gives the store the keys of its configuration file whenever that changed, as long as it runs. `text` is what the store was made with. */
export function reloadEncryption(store: EncryptedStore, options: ReloadOptions): Component {
  return reloadingFile({
    ...options,
    name: "encryption-config",
    apply: async (text) => store.setTransformers(await transformersOf(parseEncryptionConfiguration(text))),
  });
}
