import { constants, createPublicKey, type KeyObject, verify } from "node:crypto";

/** One value in DER: where it begins, where what it holds begins, and where both end. */
interface Value {
  readonly from: number;
  readonly content: number;
  readonly to: number;
}

const sequence = 0x30;
const bitString = 0x03;
const objectId = 0x06;
const integer = 0x02;
const attributes = 0xa0;

// Names of signature algorithms: the content of their object ids in hex, and the hash that each stands for.
const hashes: ReadonlyMap<string, string | null> = new Map([
  ["2a864886f70d010105", "sha1"],
  ["2a864886f70d01010b", "sha256"],
  ["2a864886f70d01010c", "sha384"],
  ["2a864886f70d01010d", "sha512"],
  ["2a8648ce3d0401", "sha1"],
  ["2a8648ce3d040302", "sha256"],
  ["2a8648ce3d040303", "sha384"],
  ["2a8648ce3d040304", "sha512"],
  ["2b6570", null],
]);
const pss = "2a864886f70d01010a";
// Within the parameters of PSS.
const pssHashes: ReadonlyMap<string, string> = new Map([
  ["608648016503040201", "sha256"],
  ["608648016503040202", "sha384"],
  ["608648016503040203", "sha512"],
]);
const insecure: ReadonlyMap<string, string> = new Map([
  ["2a864886f70d010102", "MD2-RSA"],
  ["2a864886f70d010104", "MD5-RSA"],
]);

/** Why bytes are no request for a certificate that its own key has signed. */
export function requestProblem(der: Buffer): string | undefined {
  let parts: ReturnType<typeof partsOf>;
  try {
    parts = partsOf(der);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return error.message;
  }
  const { signed, publicKey, algorithm, parameters, signature } = parts;
  const broken = insecure.get(algorithm);
  if (broken !== undefined) return `x509: cannot verify signature: insecure algorithm ${broken}`;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: publicKey, format: "der", type: "spki" });
  } catch {
    return "x509: unknown public key algorithm";
  }
  const hash = algorithm === pss ? pssHashOf(parameters) : hashes.get(algorithm);
  if (hash === undefined) return "x509: cannot verify signature: algorithm unimplemented";
  const padding = algorithm === pss ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
  try {
    if (verify(hash, signed, { key, ...padding }, signature)) return undefined;
  } catch {
    // A key and an algorithm that are not for each other.
  }
  return failures.get(key.asymmetricKeyType ?? "") ?? "x509: cannot verify signature: algorithm unimplemented";
}

const failures: ReadonlyMap<string, string> = new Map([
  ["rsa", "crypto/rsa: verification error"],
  ["ec", "x509: ECDSA verification failure"],
  ["ed25519", "x509: Ed25519 verification failure"],
]);

function pssHashOf(parameters: string): string | undefined {
  for (const [id, hash] of pssHashes) if (parameters.includes(id)) return hash;
  return undefined;
}

class MalformedError extends Error {
  override readonly name = "MalformedError";
}

function partsOf(der: Buffer): {
  readonly signed: Buffer;
  readonly publicKey: Buffer;
  readonly algorithm: string;
  readonly parameters: string;
  readonly signature: Buffer;
} {
  const whole = read(der, 0, der.length, sequence);
  if (whole.to !== der.length) throw new MalformedError("asn1: syntax error: trailing data");
  const info = read(der, whole.content, whole.to, sequence);
  const version = read(der, info.content, info.to, integer);
  const subject = read(der, version.to, info.to, sequence);
  const publicKey = read(der, subject.to, info.to, sequence);
  if (publicKey.to < info.to) read(der, publicKey.to, info.to, attributes);
  const algorithm = read(der, info.to, whole.to, sequence);
  const id = read(der, algorithm.content, algorithm.to, objectId);
  const signature = read(der, algorithm.to, whole.to, bitString);
  return {
    signed: der.subarray(info.from, info.to),
    publicKey: der.subarray(publicKey.from, publicKey.to),
    algorithm: der.toString("hex", id.content, id.to),
    parameters: der.toString("hex", id.to, algorithm.to),
    // The first byte counts bits that are not used.
    signature: der.subarray(signature.content + 1, signature.to),
  };
}

function read(bytes: Buffer, from: number, end: number, tag: number): Value {
  const truncated = new MalformedError("asn1: syntax error: data truncated");
  const [found, first] = [bytes[from], bytes[from + 1]];
  if (found === undefined || first === undefined || from + 2 > end) throw truncated;
  if (found !== tag) throw new MalformedError("asn1: structure error: tags don't match");
  let content = from + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new MalformedError("asn1: structure error: length too large");
    if (content + count > end) throw truncated;
    length = bytes.readUIntBE(content, count);
    content += count;
  }
  if (content + length > end) throw truncated;
  return { from, content, to: content + length };
}
