// A job: what it is, how it goes, and its log.
import { useEffect, useState } from "preact/hooks";

import { follow } from "../graph/follow";
import { type JobHeadFragment, JobUpdatedDocument } from "../graph/generated";
import { LogPane } from "../log/LogPane";
import { useObserved } from "../observed";
import { place, setParams } from "../routes";
import { readSelection, selectionParams } from "../selection";

export function JobPage({ jobId }: { jobId: string }) {
  const [job, setJob] = useState<JobHeadFragment | null>(null);
  const { params } = useObserved(place);
  useEffect(
    () =>
      follow(JobUpdatedDocument, () => ({ jobId }), {
        next: ({ jobUpdated }) => setJob(jobUpdated),
        lost: () => undefined,
        error: () => undefined,
        complete: () => undefined,
      }),
    [jobId],
  );
  if (!job) return <p>Waiting for {jobId}</p>;
  return (
    <LogPane
      job={job}
      selection={readSelection(params)}
      onSelection={(selection) => setParams(selectionParams(selection))}
    />
  );
}
