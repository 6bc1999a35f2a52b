/** Always for the tag latest, whether it is written or understood; IfNotPresent for every other tag and for digests alone. */
export function defaultPullPolicy(image: string | undefined): string {
  if (image === undefined || image === "") return "IfNotPresent";
  const at = image.indexOf("@");
  const name = at < 0 ? image : image.slice(0, at);
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  if (colon < 0) return at < 0 ? "Always" : "IfNotPresent";
  return name.slice(colon + 1) === "latest" ? "Always" : "IfNotPresent";
}
