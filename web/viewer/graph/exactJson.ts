// JSON whose numbers stay as they were written where a number of the browser would be another one. Such a number of a
// metadata is a text with a mark, which `sayJson` and `written` turn back into the number.

const MARK = "\ue000number ";
const NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MARKED = new RegExp(`"${MARK}([-+.\\deE]+)"`, "g");
/** What may be a number that is said otherwise than it was written. */
const MAY_DIFFER = /\d{16}|\.\d{15}|\.\d*0\s*[,}\]]|\d[eE][-+\d]/;

export function parsed(text: string): unknown {
  return MAY_DIFFER.test(text) ? unmarked(JSON.parse(marked(text))) : JSON.parse(text);
}

export function written(value: unknown): string {
  return withNumbers(JSON.stringify(value));
}

/** Says a value of a metadata as it was captured. */
export function sayJson(value: unknown): string {
  return withNumbers(JSON.stringify(value, null, 2));
}

/** Whether a value of a metadata is a number, which may be marked. */
export function isNumber(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && value.startsWith(MARK));
}

/** Marks the numbers of a text of JSON that somebody else parses. */
export function marked(text: string): string {
  if (!MAY_DIFFER.test(text)) return text;
  return text.replace(NUMBER, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `"${MARK}${token}"`,
  );
}

/** Puts the numbers back into a text of JSON that somebody else wrote. */
export function withNumbers(text: string): string {
  return text.replace(MARKED, "$1");
}

/** The API's own numbers are numbers of the browser: only metadata may hold others. */
export function unmarked(value: unknown): unknown {
  if (typeof value === "string") return value.startsWith(MARK) ? Number(value.slice(MARK.length)) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(unmarked);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, name === "metadata" ? each : unmarked(each)]));
}
