// `npm start`: installs, builds and brings up a cluster; everything behind `--` goes to `coxswain up`.
import { join } from "node:path";
import { become, build, install, root } from "./lib.mjs";

install();
build({ types: false });
become(process.execPath, [join(root, "dist/cli/main.js"), "up", ...process.argv.slice(2)]);
