export type { ExpectedKind, ProtobufCodec } from "./codec.js";
export { createProtobufCodec } from "./codec.js";
