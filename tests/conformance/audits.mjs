// Runs the audits of graphql-http against an endpoint and prints how each went, one JSON object a line.
import { require } from "./packages.mjs";

const { serverAudits } = require("graphql-http");

for (const audit of serverAudits({ url: process.argv[2] })) {
  const result = await audit.fn();
  console.log(JSON.stringify({ id: audit.id, name: audit.name, status: result.status, reason: result.reason ?? null }));
}
