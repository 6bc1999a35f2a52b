import { readFile } from "node:fs/promises";
import { findProgram, run } from "../command.js";
import { buildImage, type OciImage, type TarEntry } from "./oci-image.js";
import { pauseProgram } from "./pause-program.js";

export interface LocalImage {
  /** Without registry and tag: every tag of it, of every registry, is this image. */
  readonly repository: string;
  readonly image: OciImage;
}

/** What containerd holds sandboxes with. */
export const sandboxImage = "localhost/coxswain/pause:1";

/**
 * Answers with the pod's name, and `/healthz` with ok, on `PORT` (default 8080). The server itself could not be process 1, which SIGTERM
 * does not end.
 */
const webScript = `#!/bin/sh
name=\${POD_NAME:-$(hostname)}
mkdir -p /tmp/www
cd /tmp/www
echo "$name\${VERSION:+ $VERSION}" >index.html
echo ok >healthz
echo "E404:/tmp/www/index.html" >/tmp/httpd.conf
httpd -f -vv -p "\${PORT:-8080}" -h /tmp/www -c /tmp/httpd.conf &
server=$!
trap 'kill $server; exit 0' TERM INT
echo "$name listens on \${PORT:-8080}"
wait $server
`;

const pauseScript = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do sleep 1000000 & wait $!; done
`;

/** busybox, the demo's web server and the sandbox's program, made of the static busybox that is installed here. */
export async function builtinImages(): Promise<readonly LocalImage[]> {
  const path = await findProgram("busybox", "busybox-static");
  const program = await readFile(path);
  if (isDynamic(program)) throw new Error(`${path} needs libraries (Debian: apt-get install busybox-static)`);
  const applets = (await run([path, "--list"])).split("\n").filter((name) => /^[a-z0-9_[]+$/.test(name));
  const files = busyboxFiles(program, applets);
  const busybox = buildImage({ files, command: ["sh"] });
  const web = buildImage({ files: [...files, script("web", webScript)], entrypoint: ["/web"] });
  return [
    { repository: "library/busybox", image: busybox },
    { repository: "busybox", image: busybox },
    { repository: "coxswain/web", image: web },
    { repository: "coxswain/pause", image: pauseImage(files) },
  ];
}

function pauseImage(busybox: readonly TarEntry[]): OciImage {
  const data = pauseProgram(process.arch);
  const files = data === undefined ? [...busybox, script("pause", pauseScript)] : [{ path: "pause", data }];
  return buildImage({ files, entrypoint: ["/pause"] });
}

function busyboxFiles(program: Buffer, applets: readonly string[]): readonly TarEntry[] {
  const folders = ["bin/", "dev/", "etc/", "home/", "proc/", "root/", "sys/", "usr/", "usr/bin/", "var/"];
  return [
    ...folders.map((path) => ({ path })),
    { path: "tmp/", mode: 0o1777 },
    { path: "var/tmp", link: "/tmp" },
    { path: "usr/bin/env", link: "/bin/env" },
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"),
    text("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    { path: "bin/busybox", data: program },
    ...applets.filter((name) => name !== "busybox").map((name) => ({ path: `bin/${name}`, link: "busybox" })),
  ];
}

function text(path: string, contents: string): TarEntry {
  return { path, mode: 0o644, data: Buffer.from(contents) };
}

function script(path: string, contents: string): TarEntry {
  return { path, data: Buffer.from(contents) };
}

/** Whether an ELF file asks for an interpreter, which is what loads libraries. */
function isDynamic(file: Buffer): boolean {
  const interpreterSegment = 3;
  const count = file.readUInt16LE(56);
  const start = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  return Array.from({ length: count }, (_, index) => file.readUInt32LE(start + index * size)).includes(
    interpreterSegment,
  );
}
