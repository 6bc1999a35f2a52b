import { describeStore } from "coxswain/testing";
import { createMapStore } from "./map-store.js";

describeStore({ name: "A stranger's store", setup: () => ({ store: createMapStore() }) });
