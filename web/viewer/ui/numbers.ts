// Numbers as they are read.
const GROUPED = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** "1,204". */
export function sayNumber(value: number): string {
  return GROUPED.format(value);
}

/** "1,204", and from ten thousand on "12.3K", for narrow places. */
export function sayShort(value: number): string {
  return value < 10_000 ? sayNumber(value) : SHORT.format(value);
}

/** "1 line", "1,204 lines". */
export function sayCount(value: number, noun: string): string {
  return `${sayNumber(value)} ${value === 1 ? noun : `${noun}s`}`;
}
