// What a page with Relay asks: a paginated list of jobs, and a job's log that is loaded on from a cursor.
const { graphql } = require("relay-runtime");

graphql`
  query logJobsQuery($first: Int!, $after: String, $filter: JobFilter) {
    ...log_jobs @arguments(first: $first, after: $after, filter: $filter)
  }
`;

graphql`
  fragment log_jobs on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }, filter: { type: "JobFilter" })
  @refetchable(queryName: "logJobsPaginationQuery") {
    jobs(first: $first, after: $after, filter: $filter) @connection(key: "log_jobs__jobs") {
      totalCount
      edges {
        node {
          jobId
          status
          stages {
            name
            logCounts { total error }
            tasks(first: 5) { nodes { taskId } }
          }
          ...log_lines
        }
      }
    }
  }
`;

graphql`
  fragment log_lines on Job
  @argumentDefinitions(last: { type: "Int", defaultValue: 100 }, before: { type: "String" })
  @refetchable(queryName: "logLinesPaginationQuery") {
    id
    logs(last: $last, before: $before, filter: { minLevel: INFO }) @connection(key: "log_lines__logs", filters: []) {
      edges { node { id seq timestamp level message metadata } }
    }
  }
`;

graphql`
  subscription logTailSubscription($jobId: String!, $afterSeq: BigInt) {
    jobLogs(jobId: $jobId, afterSeq: $afterSeq) { logs { id seq message } endCursor caughtUp lastSeq jobStatus }
  }
`;

graphql`
  mutation logFinishMutation($input: FinishJobInput!) {
    finishJob(input: $input) { id status }
  }
`;
