// Reads a job's log by a query and follows it to its end with npm's @apollo/client: HttpLink for queries, graphql-ws for the rest.
// node apollo.mjs URL WEBSOCKET_URL JOB_ID
import { require } from "./packages.mjs";

const [url, websocketUrl, jobId] = process.argv.slice(2);
const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = require("@apollo/client");
const { GraphQLWsLink } = require("@apollo/client/link/subscriptions");
const { OperationTypeNode } = require("graphql");
const socket = new GraphQLWsLink(require("graphql-ws").createClient({ url: websocketUrl, webSocketImpl: require("ws") }));

const link = ApolloLink.split(
  ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
  socket,
  new HttpLink({ uri: url }),
);
const client = new ApolloClient({ link, cache: new InMemoryCache() });
const { data } = await client.query({
  query: gql`query Status($jobId: String!) { job(jobId: $jobId) { id status } }`,
  variables: { jobId },
});
console.log(data.job.status);

const tail = gql`subscription Tail($jobId: String!) {
  jobLogs(jobId: $jobId, afterSeq: 0) { logs { id seq message } jobStatus }
}`;
await new Promise((resolve, reject) => {
  client.subscribe({ query: tail, variables: { jobId } }).subscribe({
    next({ data: { jobLogs } }) {
      for (const { seq, message } of jobLogs.logs) console.log(`${seq} ${message}`);
      if (jobLogs.jobStatus) resolve(console.log(jobLogs.jobStatus));
    },
    error: reject,
  });
});
process.exit(0);
