import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/cli-program.js";
import type { ClientAge } from "../support/clients.js";
import type { Kubectl } from "../support/kubectl.js";

/** One call of kubectl and what it must say. `{ns}` stands for the topic's namespace in everything. */
export interface Line {
  /** As typed in a shell; single quotes keep words together. */
  readonly run: string;
  readonly stdin?: string;
  readonly editor?: string;
  /** Its output: all of it, or a part. Given, its exit code must be 0. */
  readonly says?: string | RegExp;
  /** Its error output; its exit code must then be 1. */
  readonly fails?: string | RegExp;
  /** Another exit code than these words mean. */
  readonly exit?: number;
  /** What it must say beside a success. */
  readonly warns?: string | RegExp;
  /** The old kubectl does not know how. */
  readonly newOnly?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines in their order, in a namespace of their own. */
export interface Topic {
  readonly name: string;
  /** Written into the folder that the lines run in. */
  readonly files?: Readonly<Record<string, string>>;
  readonly lines: readonly Line[];
}

export interface ScriptContext {
  readonly kubectl: Kubectl;
  /** The kubectl's. */
  readonly minor: number;
  readonly folder: string;
}

/** Registers a topic as tests of one kubectl, a line each. */
export function describeTopic(topic: Topic, age: ClientAge, context: () => ScriptContext): void {
  describe(topic.name, () => {
    const namespace = topic.name;
    const filled = (text: string): string => text.replaceAll("{ns}", namespace);
    let folder = "";
    beforeAll(async () => {
      folder = join(context().folder, topic.name);
      for (const [path, text] of Object.entries({ ".keep": "", ...topic.files })) {
        await mkdir(join(folder, path, ".."), { recursive: true });
        await writeFile(join(folder, path), filled(text));
      }
      await context().kubectl.ok(["create", "namespace", namespace]);
      // Without it no pod is admitted.
      await eventually(async () => {
        const { code } = await context().kubectl.in(namespace).run("get sa default");
        return code === 0 || undefined;
      }, `the default service account of ${namespace}`);
    });
    for (const line of topic.lines.filter(({ newOnly = false }) => age === "new" || !newOnly)) {
      test(line.run, async () => {
        const { kubectl } = context();
        const { code, stdout, stderr } = await kubectl.in(namespace).run(wordsOf(filled(line.run)), {
          cwd: folder,
          ...(line.stdin === undefined ? {} : { stdin: filled(line.stdin) }),
          env: { ...line.env, ...(line.editor === undefined ? {} : { KUBE_EDITOR: line.editor }) },
        });
        const both = `${stdout}${stderr}`;
        expect(code, both).toBe(line.exit ?? (line.fails === undefined ? 0 : 1));
        if (line.says !== undefined) saysIt(stdout, line.says, filled);
        if (line.fails !== undefined) saysIt(stderr, line.fails, filled);
        if (line.warns !== undefined) saysIt(stderr, line.warns, filled);
      });
    }
  });
}

function saysIt(output: string, wanted: string | RegExp, filled: (text: string) => string): void {
  if (typeof wanted === "string") expect(output.trim()).toBe(filled(wanted));
  else expect(output).toMatch(wanted);
}

/** The words of a command line. */
function wordsOf(text: string): readonly string[] {
  const words = text.match(/(?:[^\s']|'[^']*')+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ""));
}
