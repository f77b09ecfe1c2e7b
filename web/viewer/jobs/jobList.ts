// A list of jobs: read page by page from the newest on, and kept up to date while somebody looks.
import { GraphError, connection, query } from "../graph/client";
import { follow } from "../graph/follow";
import {
  type JobFilter,
  type JobRowFragment,
  type JobStatus,
  JobsDocument,
  JobsUpdatedDocument,
} from "../graph/generated";
import { type Observed, State } from "../observed";

const PAGE = 100;
const LARGEST_PAGE = 1_000;
const RETRY_MS = 3_000;
/** A query that is asked with the subscription may be answered before the subscription stands; one this much later is not. */
const SETTLE_MS = 800;

export interface JobListState {
  /** The newest first. */
  jobs: readonly JobRowFragment[];
  /** New ones that are held back, the newest first. */
  held: readonly JobRowFragment[];
  /** Null before the first answer. */
  totalCount: number | null;
  hasMore: boolean;
  error: GraphError | null;
}

export class JobList {
  readonly #state = new State<JobListState>({ jobs: [], held: [], totalCount: null, hasMore: false, error: null });
  readonly #filter: JobFilter;
  readonly #mayInsert: () => boolean;
  readonly #abort = new AbortController();
  readonly #changes = new Map<string, JobRowFragment>();
  #endCursor: string | null = null;
  #isAsking = false;
  #frame = 0;
  #timer: number | undefined;
  readonly #ends: (() => void)[];

  /** `mayInsert` tells whether new rows may show at once: not while they would move what somebody looks at. */
  constructor(filter: JobFilter, mayInsert: () => boolean) {
    this.#filter = filter;
    this.#mayInsert = mayInsert;
    void this.#refresh();
    this.#ends = [
      follow(JobsUpdatedDocument, () => ({ filter: lasting(filter) }), {
        next: ({ jobsUpdated }) => this.#hear(jobsUpdated),
        lost: () => undefined, // the connection says so, and coming back refreshes
        error: (error) => this.#set({ error }),
        complete: () => undefined,
      }),
      connection.subscribe((state) => {
        if (state === "open") this.#refreshIn(SETTLE_MS);
      }),
    ];
    if (connection.value === "open") this.#refreshIn(SETTLE_MS);
  }

  get state(): Observed<JobListState> {
    return this.#state;
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    for (const end of this.#ends) end();
  }

  retry(): void {
    void this.#refresh();
  }

  /** Reads the next page, unless one is being read. */
  async more(): Promise<void> {
    if (this.#isAsking || !this.#state.value.hasMore) return;
    await this.#ask(PAGE, this.#endCursor, (page) => {
      const known = new Set(this.#state.value.jobs.map((job) => job.jobId));
      return [...this.#state.value.jobs, ...page.filter((job) => !known.has(job.jobId))];
    });
  }

  showHeld(): void {
    const { jobs, held } = this.#state.value;
    if (held.length > 0) this.#set({ jobs: [...held, ...jobs], held: [] });
  }

  /** Reads what stands now of as much as is shown. */
  async #refresh(): Promise<void> {
    const shown = this.#state.value.jobs.length;
    await this.#ask(Math.min(Math.max(PAGE, shown), LARGEST_PAGE), null, (page) => page);
  }

  #refreshIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#refresh(), ms);
  }

  async #ask(
    first: number,
    after: string | null,
    jobsWith: (page: readonly JobRowFragment[]) => readonly JobRowFragment[],
  ): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const { jobs } = await query(JobsDocument, { first, after, filter: this.#filter }, this.#abort.signal);
      this.#endCursor = jobs.pageInfo.endCursor;
      const rows = jobsWith(jobs.nodes);
      this.#set({ totalCount: jobs.totalCount, hasMore: jobs.pageInfo.hasNextPage, error: null });
      if (after !== null || this.#mayInsert() || this.#state.value.jobs.length === 0) this.#set({ jobs: rows, held: [] });
      else this.#hold(rows);
    } catch (error) {
      if (!(error instanceof GraphError)) return; // closed meanwhile
      this.#set({ error });
      if (error.passes) this.#refreshIn(RETRY_MS);
    } finally {
      this.#isAsking = false;
    }
  }

  /** Takes rows of which the newest are to be held back. */
  #hold(rows: readonly JobRowFragment[]): void {
    const newest = this.#state.value.jobs[0]?.createdAt ?? "";
    this.#set({
      jobs: rows.filter((job) => job.createdAt <= newest),
      held: rows.filter((job) => job.createdAt > newest),
    });
  }

  #hear(job: JobRowFragment): void {
    this.#changes.set(job.jobId, job);
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#merge();
    });
  }

  #merge(): void {
    const { jobs, held, totalCount } = this.#state.value;
    if (totalCount === null) return; // the first page will hold them
    const changed = (job: JobRowFragment) => {
      const change = this.#changes.get(job.jobId);
      this.#changes.delete(job.jobId);
      return change ?? job;
    };
    const present = { jobs: jobs.map(changed), held: held.map(changed) };
    const newest = present.held[0]?.createdAt ?? present.jobs[0]?.createdAt ?? "";
    const added = [...this.#changes.values()]
      .filter((job) => job.createdAt > newest && matches(job, this.#filter))
      .sort((one, other) => (one.createdAt < other.createdAt ? 1 : -1));
    this.#changes.clear();
    this.#set({ ...present, held: [...added, ...present.held], totalCount: totalCount + added.length });
    if (this.#mayInsert()) this.showHeld();
  }

  #set(changes: Partial<JobListState>): void {
    if (!this.#abort.signal.aborted) this.#state.set({ ...this.#state.value, ...changes });
  }
}

/** The part of a filter that a job satisfies all its life: what goes out of the rest has to be heard of too. */
function lasting(filter: JobFilter): JobFilter {
  const rest = { ...filter };
  delete rest.statuses;
  delete rest.hasErrors;
  return rest;
}

function matches(job: JobRowFragment, filter: JobFilter): boolean {
  const statuses: readonly JobStatus[] = filter.statuses ?? [job.status];
  const hasErrors = job.logCounts.error + job.logCounts.critical > 0;
  return statuses.includes(job.status) && (!filter.hasErrors || hasErrors);
}
