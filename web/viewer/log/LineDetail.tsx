// All that is known of a line: its whole message, what belongs to it, and where it came from.
import { useEffect, useState } from "preact/hooks";

import { GraphError, query } from "../graph/client";
import { sayJson } from "../graph/exactJson";
import { WholeLinesDocument } from "../graph/generated";
import { sayWhole } from "../time";
import { copyText } from "./text/copying";
import type { Finder } from "./text/finding";
import { shown } from "./text/terminal";
import type { Line } from "./model/lineList";
import { ShownText } from "./LineText";
import type { Pane } from "./pane";

/** Messages up to here are loaded whole without being asked for. */
const LOADED_AT_ONCE = 100_000;

interface LineDetailProps {
  line: Line;
  pane: Pane;
  find: Finder | null;
}

export function LineDetail({ line, pane, find }: LineDetailProps) {
  const [isWanted, want] = useState(line.messageLength <= LOADED_AT_ONCE);
  const { text, error } = useWholeMessage(pane.jobId, line, isWanted);
  const isCut = text === null && isShortened(line);
  const metadata = line.metadata === null ? null : sayJson(line.metadata);
  const copy = (what: string, copied: string) => void copyText(copied).then(() => { pane.say(`Copied the ${what}`); });
  return (
    <div class="log-detail">
      <pre class="log-whole" tabIndex={0} aria-label={`Message of line ${line.seq}`}>
        <ShownText text={text ?? line.message} find={find} />
        {isCut && "…"}
      </pre>
      {isCut && !isWanted && (
        <button type="button" onClick={() => { want(true); }}>
          Show all {line.messageLength.toLocaleString("en")} characters
        </button>
      )}
      {isCut && isWanted && !error && <p>Loading {line.messageLength.toLocaleString("en")} characters…</p>}
      {error && <p class="log-error">The whole message could not be loaded: {error}</p>}
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
        <button type="button" disabled={isCut} onClick={() => { copy("message", shown(text ?? line.message)); }}>
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

/** Lists ask for the beginning of a message only. Its length counts characters, of which some take two places here. */
export function isShortened(line: Line): boolean {
  return line.messageLength > line.message.length || line.messageLength > Array.from(line.message).length;
}

function useWholeMessage(jobId: string, line: Line, isWanted: boolean): { text: string | null; error: string | null } {
  const [found, setFound] = useState<{ text: string | null; error: string | null }>({ text: null, error: null });
  useEffect(() => {
    if (!isWanted || !isShortened(line)) return;
    const loading = new AbortController();
    const filter = { sinceSeq: line.seq, untilSeq: line.seq + 1 };
    query(WholeLinesDocument, { jobId, first: 1, filter }, loading.signal).then(
      ({ job }) => { setFound({ text: job?.logs.nodes[0]?.message ?? null, error: null }); },
      (error: unknown) => {
        if (!loading.signal.aborted) setFound({ text: null, error: error instanceof GraphError ? error.message : "" });
      },
    );
    return () => { loading.abort(); };
  }, [jobId, line.seq, isWanted]);
  return found;
}
