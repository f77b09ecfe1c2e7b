// All that is known of a line: its whole message, what belongs to it, and where it came from.
import { sayJson } from "../graph/exactJson";
import { sayWhole } from "../time";
import { copyText, wholeLines } from "./text/copying";
import type { Finder } from "./text/finding";
import { shown } from "./text/terminal";
import type { Line } from "./model/lineList";
import { WholeText } from "./LineMessage";
import type { Pane } from "./pane";

interface LineDetailProps {
  line: Line;
  pane: Pane;
  find: Finder | null;
}

export function LineDetail({ line, pane, find }: LineDetailProps) {
  const metadata = line.metadata === null ? null : sayJson(line.metadata);
  const copyMessage = async () => {
    const [whole] = await wholeLines(pane.jobId, { from: line.seq, to: line.seq }, null);
    copy("message", shown(whole?.message ?? line.preview.head));
  };
  const copy = (what: string, copied: string) => void copyText(copied).then(() => { pane.say(`Copied the ${what}`); });
  return (
    <div class="log-detail">
      <pre class="log-whole" tabIndex={0} aria-label={`Message of line ${line.seq}`}>
        <WholeText line={line} pane={pane} find={find} />
      </pre>
      {metadata !== null && (
        <pre class="log-metadata" tabIndex={0} aria-label={`Metadata of line ${line.seq}`}>
          {metadata}
        </pre>
      )}
      <dl class="log-facts">
        <dt>Time</dt>
        <dd>{sayWhole(line.timestamp)}</dd>
        <dt>Level</dt>
        <dd>{line.level}</dd>
        <dt>Stage</dt>
        <dd>{line.stage}</dd>
        {line.taskId !== null && <dt>Task</dt>}
        {line.taskId !== null && <dd>{line.taskId}</dd>}
      </dl>
      <p class="log-actions">
        <button type="button" onClick={() => void copyMessage()}>
          Copy message
        </button>
        {metadata !== null && (
          <button type="button" onClick={() => { copy("metadata", metadata); }}>
            Copy metadata
          </button>
        )}
      </p>
    </div>
  );
}
