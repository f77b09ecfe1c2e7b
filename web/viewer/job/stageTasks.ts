// The tasks of a job's stages: those that are looked at, page by page, asked for anew when their stage changes.
import { GraphError, query } from "../graph/client";
import { type JobHeadFragment, StageTasksDocument, type TaskRowFragment } from "../graph/generated";
import { type Observed, State } from "../observed";

const PAGE = 100;
const LARGEST_PAGE = 1_000;
const PACE_MS = 1_000;

export type Stage = JobHeadFragment["stages"][number];

export interface StageTaskPage {
  tasks: readonly TaskRowFragment[];
  hasMore: boolean;
}

interface Wanted {
  /** What the stage was like when its tasks were asked for. */
  seen: string;
  endCursor: string | null;
}

export class StageTasks {
  readonly #state = new State<ReadonlyMap<string, StageTaskPage>>(new Map());
  readonly #wanted = new Map<string, Wanted>();
  readonly #abort = new AbortController();
  readonly #jobId: string;
  #stages: readonly Stage[] = [];
  #isAsking = false;
  #timer: number | undefined;

  constructor(jobId: string) {
    this.#jobId = jobId;
  }

  get pages(): Observed<ReadonlyMap<string, StageTaskPage>> {
    return this.#state;
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  /** Hears how the stages stand. */
  learn(stages: readonly Stage[]): void {
    this.#stages = stages;
    this.#refresh();
  }

  want(stage: string): void {
    if (this.#wanted.has(stage)) return;
    this.#wanted.set(stage, { seen: "", endCursor: null });
    this.#refresh();
  }

  async more(stage: string): Promise<void> {
    const wanted = this.#wanted.get(stage);
    const page = this.#state.value.get(stage);
    if (!wanted || !page?.hasMore || this.#isAsking) return;
    await this.#alone(async () => {
      const next = await this.#page(stage, LARGEST_PAGE, wanted.endCursor);
      const known = new Set(page.tasks.map((task) => task.taskId));
      this.#take(stage, [...page.tasks, ...next.nodes.filter((task) => !known.has(task.taskId))], next);
    });
  }

  /** Asks for what has changed, a stage after the other, at most once a second. */
  #refresh(): void {
    if (this.#isAsking || this.#timer !== undefined) return;
    const changed = this.#stages.filter((stage) => {
      const wanted = this.#wanted.get(stage.name);
      return wanted && wanted.seen !== likeness(stage);
    });
    if (changed.length === 0) return;
    void this.#alone(async () => {
      for (const stage of changed) await this.#reread(stage);
    }).then(() => {
      if (this.#abort.signal.aborted) return;
      this.#timer = window.setTimeout(() => {
        this.#timer = undefined;
        this.#refresh();
      }, PACE_MS);
    });
  }

  async #reread(stage: Stage): Promise<void> {
    const wanted = this.#wanted.get(stage.name);
    if (!wanted) return;
    const shown = this.#state.value.get(stage.name)?.tasks.length ?? 0;
    const tasks: TaskRowFragment[] = [];
    let after: string | null = null;
    for (;;) {
      const size = Math.min(Math.max(PAGE, shown - tasks.length), LARGEST_PAGE);
      const page = await this.#page(stage.name, size, after);
      tasks.push(...page.nodes);
      if (tasks.length >= shown || !page.pageInfo.hasNextPage) {
        this.#take(stage.name, tasks, page);
        wanted.seen = likeness(stage);
        return;
      }
      after = page.pageInfo.endCursor;
    }
  }

  async #page(stage: string, first: number, after: string | null) {
    const answer = await query(StageTasksDocument, { jobId: this.#jobId, stage, first, after }, this.#abort.signal);
    return answer.job?.stage?.tasks ?? { nodes: [], pageInfo: { hasNextPage: false, endCursor: null } };
  }

  #take(
    stage: string,
    tasks: readonly TaskRowFragment[],
    { pageInfo }: { pageInfo: { hasNextPage: boolean; endCursor: string | null } },
  ): void {
    const wanted = this.#wanted.get(stage);
    if (wanted) wanted.endCursor = pageInfo.endCursor;
    this.#state.set(new Map(this.#state.value).set(stage, { tasks, hasMore: pageInfo.hasNextPage }));
  }

  /** A question at a time. One that fails is asked again in a moment. */
  async #alone(ask: () => Promise<void>): Promise<void> {
    this.#isAsking = true;
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof GraphError) && !this.#abort.signal.aborted) throw error;
    } finally {
      this.#isAsking = false;
    }
  }
}

function likeness(stage: Stage): string {
  return `${stage.status} ${stage.taskCount} ${stage.logCounts.total} ${stage.finishedAt ?? ""}`;
}
