import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { rewritePage, rewriteUrl } from "./rewrite-links.js";

const place = { prefix: "/api/v1/namespaces/a/pods/b/proxy", hosts: ["10.1.2.3:80", "localhost:8001"] };

describe("rewriteUrl", () => {
  test.each([
    { name: "a path", url: "/x", is: `${place.prefix}/x` },
    { name: "the root", url: "/", is: `${place.prefix}/` },
    { name: "a folder with query and fragment", url: "/x/?a=/b#c", is: `${place.prefix}/x/?a=/b#c` },
    { name: "a relative path", url: "x/y", is: "x/y" },
    { name: "a fragment", url: "#top", is: "#top" },
    { name: "another server", url: "https://example.com/x", is: "https://example.com/x" },
    { name: "a scheme of another sort", url: "mailto:a@example.com", is: "mailto:a@example.com" },
    { name: "the backend by its address", url: "http://10.1.2.3:80/x", is: `${place.prefix}/x` },
    { name: "the host that the client asked", url: "//localhost:8001/x", is: `${place.prefix}/x` },
    { name: "what has the prefix already", url: `${place.prefix}/x`, is: `${place.prefix}/x` },
  ])("$name", ({ url, is }) => {
    expect(rewriteUrl(url, place)).toBe(is);
  });
});

describe("rewritePage", () => {
  const rewritten = async (chunks: readonly (string | Buffer)[], encoding = ""): Promise<Buffer> => {
    const page = await rewritePage(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), encoding, place);
    if (page === undefined) throw new Error("not known");
    return buffer(page);
  };

  test.each([
    { name: "a link", page: '<a href="/x">y</a>', is: `<a href="${place.prefix}/x">y</a>` },
    {
      name: "several attributes, of which one is a URL",
      page: "<IMG alt='/x' SRC=/x.png title=é>",
      is: `<IMG alt='/x' src="${place.prefix}/x.png" title=é>`,
    },
    { name: "entities in URLs", page: '<a href="/x?a&amp;b">', is: `<a href="${place.prefix}/x?a&amp;b">` },
    { name: "scripts and comments", page: '<!-- <a href="/x"> --><script>"<a href=\'/x\'>"</script>' },
    { name: "attributes that only look like URLs", page: '<p title="/x">/x</p>' },
  ])("$name", async ({ page, is }) => {
    expect((await rewritten([page])).toString()).toBe(is ?? page);
  });

  test("a tag in pieces, and bytes of any encoding beside it", async () => {
    const bytes = Buffer.from([0xff, 0xe9, 0x0d, 0x0a, 0x00]);
    const page = await rewritten(["<p><a hr", 'ef="/', 'x">', bytes]);
    expect(page).toEqual(Buffer.concat([Buffer.from(`<p><a href="${place.prefix}/x">`), bytes]));
  });

  test("a packed page", async () => {
    const packed = await rewritten([gzipSync('<a href="/x">')], "gzip");
    expect(gunzipSync(packed).toString()).toBe(`<a href="${place.prefix}/x">`);
  });

  test("is not tried in an encoding that nobody knows", async () => {
    expect(await rewritePage(Readable.from([]), "br", place)).toBeUndefined();
  });

  test("a tag without an end is not held for ever", async () => {
    const chunks = ["<a href='", ...Array.from({ length: 80 }, () => Buffer.alloc(64 * 1024, "x"))];
    await expect(rewritten(chunks)).rejects.toThrow("too long");
  });
});
