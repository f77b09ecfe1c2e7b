// The frame around every page, and which page it is.
import { JobPage } from "./job/JobPage";
import { useObserved } from "./observed";
import { place } from "./routes";

export function App() {
  const { route } = useObserved(place);
  return <main>{route?.page === "job" ? <JobPage key={route.jobId} jobId={route.jobId} /> : <p>Jobtail</p>}</main>;
}
