// How much of a job's work is done.
import { sayNumber } from "./numbers";

interface Progress {
  current: number;
  total: number | null;
  percentage: number | null;
}

export function ProgressBar({ progress, label }: { progress: Progress | null; label: string }) {
  if (!progress) return null;
  const { current, total, percentage } = progress;
  const said = total === null ? sayNumber(current) : `${sayNumber(current)} / ${sayNumber(total)}`;
  if (percentage === null) return <span class="number muted">{said}</span>;
  return (
    <span class="progress" title={`${said} (${Math.round(percentage)} %)`}>
      <span
        class="progress-track"
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(percentage)}
        aria-valuetext={said}
      >
        <span class="progress-done" style={{ transform: `scaleX(${Math.min(1, percentage / 100)})` }} />
      </span>
      <span class="number muted" aria-hidden="true">
        {Math.round(percentage)} %
      </span>
    </span>
  );
}
