import { VirtualClock } from "../../internal/virtual-clock.js";
import { describeStore } from "../../testing/store-contract.js";
import { MemoryStore } from "./memory-store.js";

describeStore({
  name: "MemoryStore",
  setup: () => {
    const clock = new VirtualClock();
    return { store: new MemoryStore({ clock }), advance: (durationMs) => clock.advance(durationMs) };
  },
});

describeStore({
  name: "MemoryStore with a backlog of 3",
  setup: () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock, watchBacklogLimit: 3 });
    return { store, advance: (durationMs) => clock.advance(durationMs) };
  },
});
