// Lines by level, as far as they are worth a look.
import { sayCount, sayShort } from "./numbers";

export interface LevelCounts {
  total: number;
  warning: number;
  error: number;
  critical: number;
}

export function Counts({ counts }: { counts: LevelCounts }) {
  const errors = counts.error + counts.critical;
  const said = [sayCount(counts.total, "line")];
  if (counts.warning) said.push(sayCount(counts.warning, "warning"));
  if (errors) said.push(sayCount(errors, "error"));
  return (
    <span class="counts" title={said.join(", ")}>
      <span class="unseen">{said.join(", ")}</span>
      <span aria-hidden="true" class="counts-error">
        {errors > 0 && sayShort(errors)}
      </span>
      <span aria-hidden="true" class="counts-warning">
        {counts.warning > 0 && sayShort(counts.warning)}
      </span>
      <span aria-hidden="true" class="counts-total">
        {sayShort(counts.total)}
      </span>
    </span>
  );
}
