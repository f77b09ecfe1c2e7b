// A search through the lines of all jobs, the newest first. It goes on by itself until it has enough, and stops when asked.
import { GraphError, query } from "../graph/client";
import { type JobFilter, type LogFilter, SearchLogsDocument, type SearchLogsQuery } from "../graph/generated";
import { type Observed, State } from "../observed";

export type Hit = SearchLogsQuery["logs"]["nodes"][number];

/** So many hits are looked for before the visitor is asked whether to go on. */
export const ENOUGH = 200;
const PAGE = 100;
const RETRY_MS = 2_000;

export interface SearchState {
  /** By job, in the order in which the first hit of each was found. */
  jobs: ReadonlyMap<string, readonly Hit[]>;
  count: number;
  /** How far back the lines were looked through; null once that is all. */
  lookedBackTo: string | null;
  /** `enough`: it stopped for the number of hits, `stopped`: for the visitor, `done`: at the first line. */
  phase: "searching" | "enough" | "stopped" | "done" | "failed";
  error: GraphError | null;
}

export class LogSearch {
  readonly #state = new State<SearchState>({ jobs: new Map(), count: 0, lookedBackTo: null, phase: "searching", error: null });
  #after: string | null = null;
  #wanted = ENOUGH;
  #abort = new AbortController();

  constructor(
    readonly filter: LogFilter,
    readonly jobFilter: JobFilter,
  ) {
    void this.#run();
  }

  get state(): Observed<SearchState> {
    return this.#state;
  }

  stop(): void {
    this.#abort.abort();
    if (this.#state.value.phase === "searching") this.#set({ phase: "stopped" });
  }

  goOn(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#wanted = this.#state.value.count + ENOUGH;
    this.#set({ phase: "searching", error: null });
    void this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    const isOver = () => signal.aborted;
    while (!isOver() && this.#state.value.phase === "searching") {
      try {
        const variables = { first: PAGE, after: this.#after, filter: this.filter, jobFilter: this.jobFilter };
        const { logs } = await query(SearchLogsDocument, variables, signal);
        this.#take(logs);
      } catch (error) {
        if (isOver() || !(error instanceof GraphError)) return;
        this.#set({ error, phase: error.passes ? "searching" : "failed" });
        if (error.passes) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #take({ nodes, pageInfo }: SearchLogsQuery["logs"]): void {
    const jobs = new Map(this.#state.value.jobs);
    for (const hit of nodes) jobs.set(hit.jobId, [...(jobs.get(hit.jobId) ?? []), hit]);
    const count = this.#state.value.count + nodes.length;
    this.#after = pageInfo.endCursor;
    const phase = !pageInfo.hasNextPage ? "done" : count >= this.#wanted ? "enough" : "searching";
    this.#set({ jobs, count, lookedBackTo: pageInfo.lookedBackTo, phase, error: null });
  }

  #set(changes: Partial<SearchState>): void {
    this.#state.set({ ...this.#state.value, ...changes });
  }
}
