// The pen that colours and styles (SGR) change, and what a page makes of it.

/** Classes of log.css, separated by blanks, and colours that no theme names: `--ansi-color` alone is brought to a readable
 * lightness by log.css. */
export interface Style {
  className: string;
  style: Record<string, string>;
}

type Rgb = readonly [number, number, number];
/** One of the terminal's 16 colours, which the theme names, or a colour by itself. */
type Color = number | Rgb;

interface Pen {
  color: Color | null;
  background: Color | null;
  marks: Set<string>;
}

export function newPen(): Pen {
  return { color: null, background: null, marks: new Set() };
}

export const PLAIN: Style = { className: "", style: {} };

const MARKS: Record<number, string> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  9: "strike",
  21: "underline",
  53: "overline",
};
const ENDS: Record<number, string[]> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  29: ["strike"],
  55: ["overline"],
};
/** What takes a colour of its own: the text, its background, its underline. */
const EXTENDED: Record<number, "color" | "background" | null> = { 38: "color", 48: "background", 58: null };

export function apply(pen: Pen, parameters: string): void {
  const codes = parameters.split(";").flatMap((part) => (part.includes(":") ? colonForm(part) : [Number(part || 0)]));
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    const target = EXTENDED[code];
    if (target === undefined) {
      applyOne(pen, code);
      continue;
    }
    const [color, used] = extended(codes.slice(at + 1));
    if (color !== null && target) pen[target] = color;
    at += used;
  }
}

/** `38:2::255:0:0` and `4:3` say what `38;2;255;0;0` and `4` do. */
function colonForm(part: string): number[] {
  const numbers = part.split(":").map(Number);
  if (EXTENDED[numbers[0] ?? 0] === undefined) return [numbers[1] === 0 && numbers[0] === 4 ? 24 : (numbers[0] ?? 0)];
  return numbers[1] === 2 && numbers.length > 5 ? [...numbers.slice(0, 2), ...numbers.slice(3, 6)] : numbers;
}

function applyOne(pen: Pen, code: number): void {
  const mark = MARKS[code];
  if (code === 0) Object.assign(pen, newPen());
  else if (mark) pen.marks.add(mark);
  else if (ENDS[code]) ENDS[code].forEach((each) => pen.marks.delete(each));
  else if (code >= 30 && code <= 37) pen.color = code - 30;
  else if (code >= 90 && code <= 97) pen.color = code - 82;
  else if (code === 39) pen.color = null;
  else if (code >= 40 && code <= 47) pen.background = code - 40;
  else if (code >= 100 && code <= 107) pen.background = code - 92;
  else if (code === 49) pen.background = null;
}

/** Reads what follows 38, 48 or 58: the colour, null where it is not all there, and how many codes it takes. */
function extended([kind, ...rest]: number[]): [Color | null, number] {
  if (kind === 5) return [rest[0] === undefined ? null : indexed(byte(rest[0])), 2];
  if (kind === 2) {
    const [red, green, blue] = rest;
    return [blue === undefined ? null : [byte(red), byte(green), byte(blue)], 4];
  }
  return [null, 1];
}

function byte(code: number | undefined): number {
  return Math.min(Math.max(code ?? 0, 0), 255);
}

function indexed(index: number): Color {
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return [grey, grey, grey];
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)];
}

/** xterm's own 16 colours: for backgrounds, which look alike in every theme. */
const SIXTEEN: readonly Rgb[] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];
const LEGIBLE = 4.5;

/** How text is drawn that is written with the pen. */
export function look(pen: Pen): Style {
  const classes = [...pen.marks].filter((mark) => mark !== "inverse").map((mark) => `ansi-${mark}`);
  const isInverse = pen.marks.has("inverse");
  const [color, background] = isInverse ? [pen.background, pen.color] : [pen.color, pen.background];
  if (background !== null) return { className: classes.join(" "), style: onBackground(color, rgb(background)) };
  if (isInverse) classes.push("ansi-inverse");
  else if (typeof color === "number") classes.push(`ansi-${color}`);
  else if (color) return { className: [...classes, "ansi-rgb"].join(" "), style: { "--ansi-color": css(color) } };
  return { className: classes.join(" "), style: {} };
}

/** Text on a colour of its own is legible whatever the theme: as it was written if it can be read, else black or white. */
function onBackground(color: Color | null, background: Rgb): Record<string, string> {
  const wanted = color === null ? null : rgb(color);
  const isLegible = wanted !== null && contrast(wanted, background) >= LEGIBLE;
  const safe = contrast(BLACK, background) >= contrast(WHITE, background) ? BLACK : WHITE;
  return { color: css(isLegible ? wanted : safe), backgroundColor: css(background) };
}

function rgb(color: Color): Rgb {
  return typeof color === "number" ? (SIXTEEN[color] ?? BLACK) : color;
}

function css([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: Rgb, other: Rgb): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((lighter ?? 0) + 0.05) / ((darker ?? 0) + 0.05);
}

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
