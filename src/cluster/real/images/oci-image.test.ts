import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { buildImage } from "./oci-image.js";
import { pauseProgram } from "./pause-program.js";
import { tar } from "./tar.js";

const sha256 = (data: Buffer): string => `sha256:${createHash("sha256").update(data).digest("hex")}`;

test("an archive has headers with sums, and data in whole blocks", () => {
  const archive = tar([{ path: "bin/" }, { path: "bin/a", data: Buffer.from("hello") }, { path: "bin/b", link: "a" }]);
  expect(archive.length).toBe(512 * (1 + 2 + 1 + 2));
  expect(archive.toString("latin1", 512, 517)).toBe("bin/a");
  expect(archive.toString("latin1", 1024, 1029)).toBe("hello");
  expect(["5", "0", "2"]).toEqual(
    [0, 512, 1536].map((offset) => archive.toString("latin1", offset + 156, offset + 157)),
  );
  for (const offset of [0, 512, 1536]) {
    const header = Buffer.from(archive.subarray(offset, offset + 512));
    const stated = Number.parseInt(header.toString("latin1", 148, 154), 8);
    header.fill(" ", 148, 156);
    expect(header.reduce((sum, byte) => sum + byte, 0)).toBe(stated);
  }
  expect(() => tar([{ path: "x".repeat(101) }])).toThrow(/too long/);
});

test("an image is the same each time, and names its parts by what they are", () => {
  const options = { files: [{ path: "x", data: Buffer.from("x") }], entrypoint: ["/x"], user: "1000" };
  const image = buildImage(options);
  expect(buildImage(options).manifest.digest).toBe(image.manifest.digest);
  const manifest = JSON.parse(image.manifest.data.toString());
  expect(manifest.config).toEqual({
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: sha256(image.config.data),
    size: image.config.data.length,
  });
  expect(manifest.layers).toHaveLength(1);
  expect(manifest.layers[0].digest).toBe(sha256(image.layer.data));
  const config = JSON.parse(image.config.data.toString());
  expect(config.config).toMatchObject({ Entrypoint: ["/x"], User: "1000" });
  expect(config.rootfs.diff_ids).toEqual([sha256(gunzipSync(image.layer.data))]);
});

test("the sandbox's program is an executable for this kind of processor, or none", () => {
  const program = pauseProgram("x64");
  expect(program?.toString("latin1", 0, 4)).toBe("\x7fELF");
  expect(program?.readUInt16LE(18)).toBe(62);
  // Its one segment is the file, and its entry the first byte after the headers.
  expect(Number(program?.readBigUInt64LE(64 + 32))).toBe(program?.length);
  expect(Number(program?.readBigUInt64LE(24))).toBe(0x400000 + 120);
  expect(pauseProgram("arm64")).toBeUndefined();
});
