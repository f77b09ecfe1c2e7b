// The tabs that a first visit finds. Each holds one operation, so that the run button runs it as it stands.
import type { GraphiQLProps } from "graphiql";

type Tabs = NonNullable<GraphiQLProps["defaultTabs"]>;

export const PLACEHOLDER_JOB_ID = "JB_1";

const NEWEST_JOBS = `# The newest jobs: how they stand, what they said.
query NewestJobs {
  jobs(first: 10) {
    totalCount
    nodes {
      jobId
      handlerName
      status
      progress {
        current
        total
        percentage
      }
      createdAt
      durationMs
      lastSeq
      logCounts {
        total
        warning
        error
      }
      stages {
        name
        status
        taskCount
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}`;

const JOB_HIERARCHY = `# The newest job: stages, tasks, first lines.
# For one you know: job(jobId: "...") { ... }
query JobHierarchy {
  jobs(first: 1) {
    nodes {
      jobId
      status
      stages {
        name
        status
        durationMs
        logCounts {
          total
          error
        }
        tasks(first: 20) {
          nodes {
            taskId
            name
            status
            logCounts {
              total
            }
          }
        }
      }
      logs(first: 20) {
        totalCount
        nodes {
          seq
          timestamp
          level
          stage
          taskId
          message(maxLength: 300)
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
}`;

const JOBS_UPDATED = `# Every job as it starts, goes on and ends.
# The same button stops it.
subscription JobsUpdated {
  jobsUpdated {
    jobId
    status
    lastSeq
  }
}`;

const JOB_LOGS = `# A job's lines from the first on, then live,
# until it ends. Its id is a variable below.
subscription JobLogs($jobId: String!) {
  jobLogs(jobId: $jobId, afterSeq: 0) {
    logs {
      seq
      timestamp
      level
      stage
      taskId
      message
    }
    endCursor
    caughtUp
    lastSeq
    jobStatus
  }
}`;

/** `jobId` is the job that the last tab follows. */
export function exampleTabs(jobId: string): Tabs {
  return [
    { query: NEWEST_JOBS },
    { query: JOB_HIERARCHY },
    { query: JOBS_UPDATED },
    { query: JOB_LOGS, variables: JSON.stringify({ jobId }, null, 2) },
  ].map((tab) => ({ variables: null, headers: null, ...tab }));
}
