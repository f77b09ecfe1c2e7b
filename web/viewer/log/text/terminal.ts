// What a terminal shows of a text: the last state of a line that was written over, in its colours, with its links, and
// nothing of what steers it. The service searches in the same: the SDK's shown_text.py says the rule once more, for the
// service and `jobtail tail`, and the cases of tests/terminal_texts.json hold all of them equal.
import { PLAIN, type Style, apply, look, newPen } from "./sgr";

export interface Piece extends Style {
  text: string;
  /** Where it leads, if it is a link: http, https or mailto. */
  link: string | null;
}

const ESC = "\\u001b";
const STRING_END = `(?:${ESC}\\\\|\\u009c)`;
/** Characters that steer, and invisible ones, some of which turn the text around. */
const UNSEEN = "\\u0001-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060\\u2066-\\u2069\\ufeff";
/** Groups: the payload of an OSC, the parameters and the final byte of a CSI. */
const TOKENS = new RegExp(
  [
    `(?:${ESC}\\]|\\u009d)([^\\u0007\\u001b\\u0080-\\u009f\\n]*)(?:\\u0007|${STRING_END})`, // a title, a link
    `(?:${ESC}[PX^_]|[\\u0090\\u0098\\u009e\\u009f])[^\\u001b\\u0080-\\u009f\\n]*${STRING_END}`,
    `(?:${ESC}\\[|\\u009b)([0-?]*[ -/]*)([@-~]?)`, // colours, the cursor; one that is cut has no final byte
    `${ESC}[ -/]*[0-~]?`,
    `\\r\\n|[\\n\\t${UNSEEN}]`,
  ].join("|"),
  "g",
);
const HAS_UNSEEN = new RegExp(`[${UNSEEN}]`);
const LINE_ENDS = new Set(["\n", "\r\n", "\u000b", "\u000c", "\u0085"]);
const LINK = /^(?:https?|mailto):/i;
/** A cursor that is sent to the right stops here: a terminal ends somewhere, too. */
const MOST_COLUMNS = 1_000;
const TAB = 8;
/** Moves of the cursor times the text's length. Beyond it a line is read from its last return on, its other moves are left out. */
const MOST_WORK = 100_000_000;

/** The text as a terminal shows it, without any style; line ends are line feeds. */
export function shown(text: string): string {
  if (!HAS_UNSEEN.test(text)) return text;
  return plain(pieces(text));
}

/** The text as a terminal shows it, as styled pieces. */
export function pieces(text: string): Piece[] {
  if (!HAS_UNSEEN.test(text)) return text ? [{ text, link: null, ...PLAIN }] : [];
  const tokens = [...text.matchAll(TOKENS)];
  const mayMove = tokens.filter(isMove).length * text.length <= MOST_WORK;
  const screen = new Screen(mayMove);
  let at = 0;
  for (const token of tokens) {
    screen.write(text.slice(at, token.index));
    at = token.index + token[0].length;
    screen.obey(token);
  }
  screen.write(text.slice(at));
  return screen.finished();
}

/** The pieces of each line. */
export function linesOf(whole: readonly Piece[]): Piece[][] {
  const lines: Piece[][] = [[]];
  for (const piece of whole) {
    piece.text.split("\n").forEach((text, index) => {
      if (index > 0) lines.push([]);
      if (text) lines.at(-1)?.push({ ...piece, text });
    });
  }
  return lines;
}

export function plain(shownPieces: readonly Piece[]): string {
  return shownPieces.map((piece) => piece.text).join("");
}

/** Lines that are done, and the one that is written to. A line is kept in pieces until the cursor leaves its end. */
class Screen {
  readonly #done: Piece[] = [];
  #line: Piece[] = [];
  /** A piece a character, once the cursor has been moved. */
  #cells: Piece[] | null = null;
  #column = 0;
  /** Whether anything was written or erased since the cursor was moved. */
  #isChanged = false;
  /** Whether a return was passed that is not played: what follows is the line. */
  #isReturned = false;
  readonly #pen = newPen();
  #style: Style = PLAIN;
  #link: string | null = null;

  constructor(readonly mayMove: boolean) {}

  write(text: string): void {
    if (!text) return;
    const piece = { text, link: this.#link, ...this.#style };
    if (this.#isReturned) this.#line = [];
    this.#isReturned = false;
    if (this.#cells === null) {
      add(this.#line, piece);
      return;
    }
    this.#isChanged = true;
    this.#pad(this.#column);
    for (const character of text) this.#cells[this.#column++] = { ...piece, text: character };
  }

  obey(token: RegExpExecArray): void {
    const [whole, command, parameters, final] = token;
    if (command !== undefined) this.#operate(command);
    else if (final === "m" && /^[0-9;:]*$/.test(parameters ?? "")) this.#draw(parameters ?? "");
    else if (LINE_ENDS.has(whole)) this.#newLine();
    else if (whole === "\t") {
      this.#tab();
      this.#isChanged ||= this.#cells !== null;
    }
    else if (isMove(token)) this.#move(whole, Math.min(Number(parameters ?? 0), MOST_COLUMNS), final ?? "");
  }

  finished(): Piece[] {
    this.#endLine();
    return this.#done;
  }

  #operate(command: string): void {
    const link = /^8;[^;]*;(.*)$/.exec(command)?.[1];
    if (link !== undefined) this.#link = LINK.test(link) ? link : null;
  }

  #draw(parameters: string): void {
    apply(this.#pen, parameters);
    this.#style = look(this.#pen);
  }

  #move(whole: string, count: number, final: string): void {
    if (!this.mayMove) {
      this.#isReturned ||= whole === "\r";
      return;
    }
    this.#play();
    const at = this.#column;
    if (whole === "\r") this.#column = 0;
    else if (whole === "\b") this.#column = Math.max(at - 1, 0);
    else if (final === "C") this.#column = Math.max(at, Math.min(at + (count || 1), MOST_COLUMNS));
    else if (final === "D") this.#column = Math.max(at - (count || 1), 0);
    else if (final === "G") this.#column = (count || 1) - 1;
    else if (final === "K" || count === 0) this.#erase(count);
  }

  /** 0: from the cursor on, 1: up to the cursor, 2: the whole line. */
  #erase(what: number): void {
    const cells = this.#cells ?? [];
    this.#isChanged = true;
    if (what === 1) cells.fill(BLANK, 0, this.#column + 1);
    else if (what === 0 || what === 2) cells.length = what === 2 ? 0 : Math.min(cells.length, this.#column);
  }

  #play(): void {
    if (this.#cells !== null) return;
    this.#cells = [];
    this.#column = 0;
    for (const piece of this.#line) {
      for (const text of piece.text) {
        if (text === "\t") this.#tab();
        else {
          this.#pad(this.#column);
          this.#cells[this.#column++] = { ...piece, text };
        }
      }
    }
  }

  #tab(): void {
    if (this.#cells === null) this.write("\t");
    else this.#column = (Math.floor(this.#column / TAB) + 1) * TAB;
  }

  #pad(length: number): void {
    const cells = this.#cells ?? [];
    while (cells.length < length) cells.push(BLANK);
  }

  #endLine(): void {
    for (const piece of this.#cells && this.#isChanged ? this.#cells : this.#line) add(this.#done, piece);
    this.#line = [];
    this.#cells = null;
    this.#isChanged = this.#isReturned = false;
  }

  #newLine(): void {
    this.#endLine();
    add(this.#done, { text: "\n", link: null, ...PLAIN });
  }
}

function isMove([whole, , parameters, final]: RegExpExecArray): boolean {
  if (whole === "\r" || whole === "\b") return true;
  return final !== undefined && "CDGJK".includes(final || "-") && /^\d*$/.test(parameters ?? "");
}

const BLANK: Piece = { text: " ", link: null, ...PLAIN };

function add(found: Piece[], piece: Piece): void {
  const last = found.at(-1);
  if (last && (piece.text === "\n" || isAlike(last, piece))) last.text += piece.text;
  else found.push({ ...piece });
}

function isAlike(one: Piece, other: Piece): boolean {
  return (
    one.link === other.link &&
    one.className === other.className &&
    (one.style === other.style || JSON.stringify(one.style) === JSON.stringify(other.style))
  );
}
