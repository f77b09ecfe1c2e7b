// The whole message of a line of which lists have the ends alone.
import { useEffect, useState } from "preact/hooks";

import { GraphError, query } from "../graph/client";
import { WholeLinesDocument } from "../graph/generated";
import type { Line } from "./model/lineList";

/** Messages up to here are loaded whole without being asked for. */
const LOADED_AT_ONCE = 200_000;

export interface WholeMessage {
  /** Null while it is not here. */
  text: string | null;
  error: string | null;
  isWanted: boolean;
  want: () => void;
}

/** Whether something of it is not here. What is here of another may be shorter than what was captured, and looks the same. */
export function isCut(line: Line): boolean {
  return line.preview.tail !== null;
}

export function useWholeMessage(jobId: string, line: Line): WholeMessage {
  const [isWanted, setIsWanted] = useState(line.messageLength <= LOADED_AT_ONCE);
  const [found, setFound] = useState<{ text: string | null; error: string | null }>({ text: null, error: null });
  useEffect(() => {
    if (!isWanted || !isCut(line)) return;
    const loading = new AbortController();
    const filter = { sinceSeq: line.seq, untilSeq: line.seq + 1 };
    query(WholeLinesDocument, { jobId, first: 1, filter }, loading.signal).then(
      ({ job }) => { setFound({ text: job?.logs.nodes[0]?.message ?? null, error: job?.logs.nodes[0] ? null : "it was deleted" }); },
      (error: unknown) => {
        if (!loading.signal.aborted) setFound({ text: null, error: error instanceof GraphError ? error.message : "" });
      },
    );
    return () => { loading.abort(); };
  }, [jobId, line.seq, isWanted]);
  return { ...found, isWanted, want: () => { setIsWanted(true); } };
}
