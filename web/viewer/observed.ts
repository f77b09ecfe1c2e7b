// Values that change and are watched, by components and by others.
import { useEffect, useState } from "preact/hooks";

import { keep, kept } from "./storage";

export interface Observed<T> {
  readonly value: T;
  /** Hears of every change from now on; returns what ends it. */
  subscribe(listener: (value: T) => void): () => void;
}

export class State<T> implements Observed<T> {
  readonly #listeners = new Set<(value: T) => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  subscribe(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The value, in a component that is drawn anew when it changes. */
export function useObserved<T>(observed: Observed<T>): T {
  const [, redraw] = useState(observed.value);
  useEffect(() => {
    redraw(observed.value); // it may have changed since the component was drawn
    return observed.subscribe(redraw);
  }, [observed]);
  return observed.value;
}

/** A choice among texts that the browser remembers. */
export class Preference<T extends string> extends State<T> {
  constructor(
    readonly name: string,
    readonly choices: readonly T[],
    preset: T,
  ) {
    const chosen = kept(`jobtail.${name}`);
    super(choices.find((choice) => choice === chosen) ?? preset);
  }

  override set(value: T): void {
    keep(`jobtail.${this.name}`, value);
    super.set(value);
  }

  /** Goes on to the choice behind the present one, behind the last to the first. */
  turn(): void {
    const next = this.choices[(this.choices.indexOf(this.value) + 1) % this.choices.length];
    if (next !== undefined) this.set(next);
  }
}
