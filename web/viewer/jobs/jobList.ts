// A list of jobs: read page by page from the newest on, and kept up to date while somebody looks.
import { serviceNow } from "../clock";
import { GraphError, connection, query } from "../graph/client";
import { follow } from "../graph/follow";
import {
  type JobFilter,
  type JobRowFragment,
  type JobStatus,
  JobCountDocument,
  JobsDocument,
  JobsUpdatedDocument,
} from "../graph/generated";
import { foldCase } from "../log/text/finding";
import { shown } from "../log/text/terminal";
import { type Observed, State } from "../observed";

const PAGE = 100;
const LARGEST_PAGE = 1_000;
const RETRY_MS = 3_000;
/** A query that is asked with the subscription may be answered before the subscription stands; one this much later is not. */
const SETTLE_MS = 800;
const RECOUNT_MS = 2_000;
/** A job that is stored late may be so much older than the list. */
const RECENT_MS = 60_000;

export interface JobListState {
  /** The newest first. */
  jobs: readonly JobRowFragment[];
  /** Rows that wait to be shown, the newest first. */
  held: readonly JobRowFragment[];
  /** Null before the first answer. */
  totalCount: number | null;
  hasMore: boolean;
  error: GraphError | null;
}

interface Resting {
  state: JobListState;
  endCursor: string | null;
}

/** The list that was left last, by its filter: the way back leads to the same rows, which are then brought up to date. */
const resting = new Map<string, Resting>();

export class JobList {
  readonly #state: State<JobListState>;
  readonly #filter: JobFilter;
  readonly #mayInsert: () => boolean;
  readonly #abort = new AbortController();
  readonly #changes = new Map<string, JobRowFragment>();
  #endCursor: string | null = null;
  #isAsking = false;
  #frame = 0;
  #timer: number | undefined;
  #recount: number | undefined;
  readonly #beganAt = serviceNow();
  readonly #ends: (() => void)[];

  /** `mayInsert` tells whether new rows may show at once: not while they would move what somebody looks at. */
  constructor(filter: JobFilter, mayInsert: () => boolean) {
    this.#filter = filter;
    this.#mayInsert = mayInsert;
    const left = resting.get(restingKey(filter));
    this.#state = new State(left?.state ?? { jobs: [], held: [], totalCount: null, hasMore: false, error: null });
    this.#endCursor = left?.endCursor ?? null;
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
    resting.clear();
    const state = { ...this.#state.value, error: null };
    if (state.totalCount !== null) resting.set(restingKey(this.#filter), { state, endCursor: this.#endCursor });
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#recount);
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
    if (held.length > 0) this.#set({ jobs: sorted([...held, ...jobs]), held: [] });
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

  /** Takes the present rows while somebody looks: known ones stay in view, the others wait. */
  #hold(rows: readonly JobRowFragment[]): void {
    const known = new Set(this.#state.value.jobs.map((job) => job.jobId));
    this.#set({
      jobs: rows.filter((job) => known.has(job.jobId)),
      held: rows.filter((job) => !known.has(job.jobId)),
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
    const { jobs, held, totalCount, hasMore } = this.#state.value;
    if (totalCount === null) return; // the first page will hold them
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    const rows = new Map([...held, ...jobs].map((job) => [job.jobId, job]));
    const last = jobs.at(-1);
    const added: JobRowFragment[] = [];
    let count = totalCount;
    for (const job of changes) {
      const isMatching = matches(job, this.#filter);
      const isKnown = rows.has(job.jobId);
      if (isKnown && isMatching) rows.set(job.jobId, job);
      else if (isKnown) {
        rows.delete(job.jobId);
        count--;
      } else if (hasMore && last && order(job, last) > 0) {
        this.#recountLater(job); // it is further down than what is loaded, and may have been counted
      } else if (isMatching) {
        added.push(job);
        count++;
      }
    }
    const present = (of: readonly JobRowFragment[]) => of.flatMap(({ jobId }) => rows.get(jobId) ?? []);
    this.#set({ jobs: present(jobs), held: sorted([...added, ...present(held)]), totalCount: count });
    if (this.#mayInsert()) this.showHeld();
  }

  /** Counts again after a while where a job that is not loaded may have begun or ceased to match. */
  #recountLater(job: JobRowFragment): void {
    const isNew = Date.parse(job.createdAt) > this.#beganAt - RECENT_MS;
    if (!isNew && !isChangeable(this.#filter)) return;
    this.#recount ??= window.setTimeout(() => {
      this.#recount = undefined;
      query(JobCountDocument, { filter: this.#filter }, this.#abort.signal).then(
        ({ jobs }) => this.#set({ totalCount: jobs.totalCount }),
        () => undefined, // the next refresh says what is wrong
      );
    }, RECOUNT_MS);
  }

  #set(changes: Partial<JobListState>): void {
    if (!this.#abort.signal.aborted) this.#state.set({ ...this.#state.value, ...changes });
  }
}

/** A period moves with the time; the list is the same. */
function restingKey(filter: JobFilter): string {
  return JSON.stringify({ ...filter, createdSince: filter.createdSince?.slice(0, 10) });
}

/** The newest first, as the service has them. */
function order(one: JobRowFragment, other: JobRowFragment): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? 1 : -1;
  return one.jobId < other.jobId ? 1 : -1;
}

function sorted(jobs: readonly JobRowFragment[]): JobRowFragment[] {
  return [...jobs].sort(order);
}

/** The part of a filter that a job satisfies all its life: what goes out of the rest has to be heard of too. */
function lasting(filter: JobFilter): JobFilter {
  const rest = { ...filter };
  delete rest.statuses;
  delete rest.hasErrors;
  delete rest.search;
  return rest;
}

function isChangeable(filter: JobFilter): boolean {
  return Boolean(filter.statuses ?? filter.hasErrors ?? filter.search);
}

function matches(job: JobRowFragment, filter: JobFilter): boolean {
  const statuses: readonly JobStatus[] = filter.statuses ?? [job.status];
  const hasErrors = job.logCounts.error + job.logCounts.critical > 0;
  return statuses.includes(job.status) && (!filter.hasErrors || hasErrors) && (!filter.search || isFound(job, filter.search));
}

function isFound(job: JobRowFragment, search: string): boolean {
  const wanted = foldCase(search);
  return [job.jobId, job.handlerName, job.source, job.error].some((text) => text && foldCase(shown(text)).includes(wanted));
}
