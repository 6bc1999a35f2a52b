/** A program for `node -e` that prints the body of one answer, on a connection of its own; exit code 1 without one. */
export const fetchScript: string = `const get = require("node:http").get(process.argv[1], { agent: false, timeout: 3000 }, (answer) => {
  answer.pipe(process.stdout);
  answer.on("end", () => process.exit(answer.statusCode === 200 ? 0 : 1));
});
get.on("timeout", () => get.destroy(new Error("no answer")));
get.on("error", (error) => { console.error(error.message); process.exit(1); });`;
