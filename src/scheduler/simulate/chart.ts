import type { SimulationSample } from "./meter.js";

interface Line {
  readonly name: string;
  readonly samples: readonly SimulationSample[];
}

interface Panel {
  readonly title: string;
  readonly of: (sample: SimulationSample) => number;
  /** Shares from 0 to 1, shown as percent. */
  readonly percent?: boolean;
}

/** Told apart by people who see few colours, and on paper by their dashes. */
const strokes = [
  { color: "#0072b2", dash: "" },
  { color: "#d55e00", dash: "6 3" },
  { color: "#009e73", dash: "2 3" },
  { color: "#cc79a7", dash: "8 3 2 3" },
  { color: "#7a5c00", dash: "12 4" },
  { color: "#56b4e9", dash: "4 2 1 2" },
] as const;

const width = 960;
const left = 64;
const right = 16;
const top = 48;
const panelHeight = 130;
const panelGap = 46;
const plotWidth = width - left - right;
const shownPoints = 400;

/** Panels one below the other over one axis of time, a line for each run. */
export function chart(lines: readonly Line[], panels: readonly Panel[]): string {
  const endMs = Math.max(1, ...lines.flatMap(({ samples }) => samples.at(-1)?.atMs ?? 0));
  const height = top + panels.length * (panelHeight + panelGap) + 8;
  const drawn = panels.map((panel, index) =>
    drawPanel(lines, panel, top + index * (panelHeight + panelGap) + 18, endMs),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#1c2024">
<rect width="${width}" height="${height}" fill="#fff"/>
${legend(lines)}
${drawn.join("\n")}
</svg>`;
}

function legend(lines: readonly Line[]): string {
  let x = left;
  return lines
    .map(({ name }, index) => {
      const at = x;
      x += 52 + name.length * 7.5;
      return `<line x1="${at}" x2="${at + 28}" y1="20" y2="20" ${stroke(index)}/><text x="${at + 34}" y="24">${escaped(name)}</text>`;
    })
    .join("");
}

function drawPanel(lines: readonly Line[], { title, of, percent }: Panel, y: number, endMs: number): string {
  const values = lines.map(({ samples }) => thinned(samples).map((sample) => ({ at: sample.atMs, value: of(sample) })));
  const peak = values.flat().reduce((max, { value }) => Math.max(max, value), 0);
  const max = percent ? (peak > 0.5 ? 1 : niceCeiling(Math.max(peak, 0.05))) : niceCeiling(peak);
  const toX = (at: number): number => left + (plotWidth * at) / endMs;
  const toY = (value: number): number => y + panelHeight - (panelHeight * value) / max;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = toY(share * max).toFixed(1);
    const label = percent ? `${round(100 * share * max)} %` : round(share * max);
    return `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="#e3e6ea"/><text x="${left - 8}" y="${Number(at) + 4}" text-anchor="end" fill="#60646c">${label}</text>`;
  });
  const paths = values.map((points, index) => {
    // What is sampled holds until the next sample: steps, not slopes.
    const path = points.map(({ at, value }, step) => {
      const [px, py] = [toX(at).toFixed(1), toY(value).toFixed(1)];
      return step === 0 ? `M${px} ${py}` : `H${px}V${py}`;
    });
    return `<path d="${path.join("")}" fill="none" ${stroke(index)}/>`;
  });
  return `<text x="${left}" y="${y - 10}" font-weight="600">${escaped(title)}</text>${grid.join("")}${timeAxis(y, endMs, toX)}${paths.join("")}`;
}

function timeAxis(y: number, endMs: number, toX: (at: number) => number): string {
  const { ms, name } = [
    { ms: 86_400_000, name: "d" },
    { ms: 3_600_000, name: "h" },
    { ms: 60_000, name: "min" },
    { ms: 1000, name: "s" },
  ].find((unit) => endMs >= 3 * unit.ms) ?? { ms: 1, name: "ms" };
  const step = niceCeiling(endMs / ms / 8) * ms;
  const marks: string[] = [];
  for (let at = 0; at <= endMs; at += step) {
    const x = toX(at).toFixed(1);
    marks.push(
      `<line x1="${x}" x2="${x}" y1="${y + panelHeight}" y2="${y + panelHeight + 4}" stroke="#8b8d98"/><text x="${x}" y="${y + panelHeight + 17}" text-anchor="middle" fill="#60646c">${round(at / ms)} ${name}</text>`,
    );
  }
  return marks.join("");
}

/** Of too many samples, the ones that still show: evenly taken, with the last. */
function thinned(samples: readonly SimulationSample[]): readonly SimulationSample[] {
  const every = Math.ceil(samples.length / shownPoints);
  return samples.filter((_, index) => index % every === 0 || index === samples.length - 1);
}

/** The next of 1, 2, 2.5, 4, 5, 10 times a power of ten: a quarter of it reads well too. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 4, 5, 10].find((factor) => factor * power >= value * 0.999_999) ?? 10) * power;
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function stroke(index: number): string {
  const { color, dash } = strokes[index % strokes.length] ?? strokes[0];
  return `stroke="${color}" stroke-width="1.8"${dash === "" ? "" : ` stroke-dasharray="${dash}"`}`;
}

/** Text for XML and HTML. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
