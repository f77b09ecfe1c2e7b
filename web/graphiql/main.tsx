// GraphiQL on the service's own endpoint, with nothing loaded from elsewhere.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";

import "graphiql/graphiql.min.css";
import "./page.css";
import { PLACEHOLDER_JOB_ID, exampleTabs } from "./examples";
import { newestJobId } from "./newestJob";

// The page is what the endpoint answers to a browser: its own address is the API's, whatever stands in front of it.
const url = new URL(location.pathname, location.origin);
const liveUrl = new URL(url);
liveUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const fetcher = createGraphiQLFetcher({ url: url.href, wsClient: createClient({ url: liveUrl.href }) });

const place = document.getElementById("graphiql");
if (!place) {
  throw new Error("the page has no element #graphiql");
}
const tabs = exampleTabs((await newestJobId(url.href)) ?? PLACEHOLDER_JOB_ID);

createRoot(place).render(
  <GraphiQL fetcher={fetcher} defaultTabs={tabs} defaultEditorToolsVisibility="variables">
    <GraphiQL.Logo>Jobtail</GraphiQL.Logo>
  </GraphiQL>,
);
