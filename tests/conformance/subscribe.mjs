// Follows a job's log to its end with npm's graphql-ws or graphql-sse and prints each line's number and message.
// node subscribe.mjs ws|sse URL JOB_ID
import { require } from "./packages.mjs";

const [way, url, jobId] = process.argv.slice(2);
const query = `subscription ($jobId: String!) {
  jobLogs(jobId: $jobId, afterSeq: 0) { logs { seq message } jobStatus }
}`;

const client =
  way === "ws"
    ? require("graphql-ws").createClient({ url, webSocketImpl: require("ws") })
    : require("graphql-sse").createClient({ url, singleConnection: false });

for await (const event of client.iterate({ query, variables: { jobId } })) {
  if (event.errors) throw new Error(JSON.stringify(event.errors));
  for (const { seq, message } of event.data.jobLogs.logs) console.log(`${seq} ${message}`);
  if (event.data.jobLogs.jobStatus) console.log(event.data.jobLogs.jobStatus);
}
await client.dispose();
