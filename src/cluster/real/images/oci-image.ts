import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type TarEntry, tar } from "./tar.js";

export type { TarEntry };

export interface Blob {
  readonly digest: string;
  readonly mediaType: string;
  readonly data: Buffer;
}

/** An image of one layer. */
export interface OciImage {
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layer: Blob;
}

export interface OciImageOptions {
  /** Folders before what is in them. */
  readonly files: readonly TarEntry[];
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly stopSignal?: string | undefined;
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** The same files give the same digests, at any time and on any machine of the architecture. */
export function buildImage({ files, entrypoint, command, env, user, stopSignal }: OciImageOptions): OciImage {
  const contents = tar(files);
  const layer = blob("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(contents, { level: 6 }));
  const config = blob(
    "application/vnd.oci.image.config.v1+json",
    json({
      architecture: architectures[process.arch] ?? process.arch,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...(env ?? [])],
        Entrypoint: entrypoint,
        Cmd: command,
        User: user,
        StopSignal: stopSignal,
      },
      rootfs: { type: "layers", diff_ids: [digestOf(contents)] },
      history: [{ created: "1970-01-01T00:00:00Z", created_by: "coxswain" }],
    }),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = blob(
    mediaType,
    json({ schemaVersion: 2, mediaType, config: descriptor(config), layers: [descriptor(layer)] }),
  );
  return { manifest, config, layer };
}

function blob(mediaType: string, data: Buffer): Blob {
  return { digest: digestOf(data), mediaType, data };
}

function descriptor({ mediaType, digest, data }: Blob): object {
  return { mediaType, digest, size: data.length };
}

function digestOf(data: Buffer): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
