import { access, errors } from "./access.js";
import { applying, sets } from "./applying.js";
import { editing, patching } from "./changing.js";
import { custom } from "./custom.js";
import { deleting, namespaces } from "./deleting.js";
import { describing, explaining } from "./describing.js";
import { generators } from "./generators.js";
import { reading, watching } from "./reading.js";
import type { Topic } from "./script.js";
import { nodes, workloads } from "./workloads.js";

export const topics: readonly Topic[] = [
  applying,
  sets,
  patching,
  editing,
  reading,
  watching,
  access,
  errors,
  generators,
  workloads,
  nodes,
  describing,
  explaining,
  custom,
  deleting,
  namespaces,
];
