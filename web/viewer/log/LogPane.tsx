// The log of a job.
import type { JobHeadFragment } from "../graph/generated";
import type { Selection } from "../selection";

export interface LogPaneProps {
  job: JobHeadFragment;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function LogPane({ job }: LogPaneProps) {
  return <p>{job.logCounts.total} lines</p>;
}
