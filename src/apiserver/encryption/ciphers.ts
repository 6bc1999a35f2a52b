import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { EncryptionKey, EncryptionProvider } from "./configuration.js";

/** Encrypts with one key. `context` is where the value is stored: of those that authenticate, it cannot be opened elsewhere. */
export interface Cipher {
  seal(plain: Buffer, context: Buffer): Buffer;
  /** Throws for what was not sealed with this key. */
  open(sealed: Buffer, context: Buffer): Buffer;
}

type CipherType = Exclude<EncryptionProvider["type"], "identity">;

/** The library of secretbox is loaded with the first key of it. */
export async function cipherOf(type: CipherType, key: EncryptionKey): Promise<Cipher> {
  if (type === "aesgcm") return aesGcm(key.secret);
  if (type === "aescbc") return aesCbc(key.secret);
  return secretBox(key.secret);
}

const gcmNonceBytes = 12;
const tagBytes = 16;

/** A random nonce, what is encrypted, the tag. Bound to the place by additional data. */
function aesGcm(secret: Buffer): Cipher {
  const algorithm = `aes-${secret.length * 8}-gcm` as "aes-256-gcm";
  return {
    seal(plain, context) {
      const nonce = randomBytes(gcmNonceBytes);
      const cipher = createCipheriv(algorithm, secret, nonce).setAAD(context);
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      if (sealed.length < gcmNonceBytes + tagBytes)
        throw new Error("the stored data was shorter than the required size");
      const nonce = sealed.subarray(0, gcmNonceBytes);
      const decipher = createDecipheriv(algorithm, secret, nonce, { authTagLength: tagBytes }).setAAD(context);
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(gcmNonceBytes, -tagBytes)), decipher.final()]);
    },
  };
}

const blockBytes = 16;

/** A random initialization vector, then what is encrypted, padded by PKCS #7. Nothing tells a forgery. */
function aesCbc(secret: Buffer): Cipher {
  const algorithm = `aes-${secret.length * 8}-cbc`;
  return {
    seal(plain) {
      const vector = randomBytes(blockBytes);
      const cipher = createCipheriv(algorithm, secret, vector);
      return Buffer.concat([vector, cipher.update(plain), cipher.final()]);
    },
    open(sealed) {
      if (sealed.length < blockBytes) throw new Error("the stored data was shorter than the required size");
      const decipher = createDecipheriv(algorithm, secret, sealed.subarray(0, blockBytes));
      return Buffer.concat([decipher.update(sealed.subarray(blockBytes)), decipher.final()]);
    },
  };
}

const boxNonceBytes = 24;

/** XSalsa20 and Poly1305, as NaCl has it: a random nonce, the tag, what is encrypted. */
async function secretBox(secret: Buffer): Promise<Cipher> {
  const { secretbox } = await import("@noble/ciphers/salsa.js");
  return {
    seal(plain) {
      const nonce = randomBytes(boxNonceBytes);
      return Buffer.concat([nonce, secretbox(secret, nonce).seal(plain)]);
    },
    open(sealed) {
      if (sealed.length < boxNonceBytes + tagBytes)
        throw new Error("the stored data was shorter than the required size");
      const opened = secretbox(secret, sealed.subarray(0, boxNonceBytes)).open(sealed.subarray(boxNonceBytes));
      return Buffer.from(opened.buffer, opened.byteOffset, opened.length);
    },
  };
}
