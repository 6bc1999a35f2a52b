/**
 * The program that holds a sandbox's namespaces, as x86-64 machine code: it blocks SIGINT, SIGTERM and SIGCHLD, waits for them
 * (as process 1 it would not be ended by the first two otherwise), reaps children and ends with 0.
 *
 *   push 0x14002; rt_sigprocmask(SIG_BLOCK, rsp, 0, 8)
 *   wait: rt_sigtimedwait(rsp, 0, 0, 8); 15 or 2 -> end; other than 17 -> wait
 *   reap: wait4(-1, 0, WNOHANG, 0) > 0 -> reap; -> wait
 *   end:  exit_group(0)
 */
const code =
  "6802400100b80e00000031ff4889e631d26a08415a0f05" +
  "b8800000004889e731f631d26a08415a0f0583f80f742083f802741b83f81175df" +
  "6a3d586aff5f31f66a015a4531d20f0585c07fecebc9" +
  "b8e700000031ff0f05";

const loadAddress = 0x400000;
const fileHeaderBytes = 64;
const segmentHeaderBytes = 56;

/** An executable file of it; undefined on other processors. */
export function pauseProgram(architecture: string): Buffer | undefined {
  if (architecture !== "x64") return undefined;
  const text = Buffer.from(code, "hex");
  const start = fileHeaderBytes + segmentHeaderBytes;
  const file = Buffer.alloc(start);
  // ELF, 64 bits, little-endian, version 1; executable, x86-64.
  file.write("\x7fELF\x02\x01\x01", "latin1");
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(loadAddress + start), 24);
  file.writeBigUInt64LE(BigInt(fileHeaderBytes), 32);
  file.writeUInt16LE(fileHeaderBytes, 52);
  file.writeUInt16LE(segmentHeaderBytes, 54);
  file.writeUInt16LE(1, 56);
  // One segment to load, readable and executable: the whole file.
  const size = BigInt(start + text.length);
  file.writeUInt32LE(1, fileHeaderBytes);
  file.writeUInt32LE(5, fileHeaderBytes + 4);
  file.writeBigUInt64LE(BigInt(loadAddress), fileHeaderBytes + 16);
  file.writeBigUInt64LE(BigInt(loadAddress), fileHeaderBytes + 24);
  file.writeBigUInt64LE(size, fileHeaderBytes + 32);
  file.writeBigUInt64LE(size, fileHeaderBytes + 40);
  file.writeBigUInt64LE(0x1000n, fileHeaderBytes + 48);
  return Buffer.concat([file, text]);
}
