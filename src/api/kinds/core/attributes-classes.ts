import type { PersistentVolumeClaim } from "../../gen/types.js";

/** The VolumeAttributesClasses that a claim asks for, has, and is being changed to. */
export function attributesClassesOf({
  spec,
  status,
}: Pick<Partial<PersistentVolumeClaim>, "spec" | "status">): readonly string[] {
  const classes = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(classes.filter((name): name is string => name !== undefined && name !== ""))];
}
