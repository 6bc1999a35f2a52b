import { stringify } from "yaml";

const options = {
  aliasDuplicateObjects: false,
  keepUndefined: false,
  // Clients read YAML 1.1, where `yes` is a boolean: such text is quoted.
  compat: "yaml-1.1",
  // As upstream writes it: sorted, lists no deeper than their key, lines as long as they are.
  sortMapEntries: true,
  indentSeq: false,
  lineWidth: 0,
} as const;

export function yamlText(value: unknown): string {
  return stringify(value, options);
}
