// Reads a job's log by a query and follows it to its end with npm's @urql/core, as it comes: `fetchSubscriptions` and nothing else.
// node urql.mjs URL JOB_ID
import { require } from "./packages.mjs";

const [url, jobId] = process.argv.slice(2);
const { Client, cacheExchange, fetchExchange } = require("@urql/core");

const client = new Client({ url, exchanges: [cacheExchange, fetchExchange], fetchSubscriptions: true, preferGetMethod: false });
const query = `query ($jobId: String!) { job(jobId: $jobId) { status } }`;
const { data, error } = await client.query(query, { jobId });
if (error) throw error;
console.log(data.job.status);

const tail = `subscription ($jobId: String!) {
  jobLogs(jobId: $jobId, afterSeq: 0) { logs { seq message } jobStatus }
}`;
await new Promise((resolve, reject) => {
  client.subscription(tail, { jobId }).subscribe((result) => {
    if (result.error) reject(result.error);
    for (const { seq, message } of result.data?.jobLogs.logs ?? []) console.log(`${seq} ${message}`);
    if (result.data?.jobLogs.jobStatus) resolve(console.log(result.data.jobLogs.jobStatus));
  });
});
process.exit(0);
