import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedStore } from "coxswain/store/embedded";
import { describeStore } from "coxswain/testing";

describeStore({
  name: "EmbeddedStore",
  setup: async () => {
    const folder = await mkdtemp(join(tmpdir(), "coxswain-store-"));
    return {
      store: await EmbeddedStore.open(folder),
      cleanup: () => rm(folder, { recursive: true }),
    };
  },
});
