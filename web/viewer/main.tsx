// The page: where the visitor is decides what is drawn.
import { render } from "preact";

import "./theme.css";
import "./page.css";
import "./jobs/jobs.css";
import "./job/job.css";
import { App } from "./App";
import { listenToShortcuts } from "./shortcuts";
import { followLinks } from "./routes";
import { applyTheme } from "./theme";

applyTheme();
followLinks();
listenToShortcuts();

const root = document.getElementById("viewer");
if (!root) throw new Error("the page has no element #viewer");
render(<App />, root);
