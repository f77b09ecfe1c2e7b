// The log as a file, by the service's plain HTTP: text, or a JSON object a line.
import { currentToken } from "../graph/token";
import type { Selection } from "../selection";

export type Form = "text" | "ndjson";

export function downloadAddress(jobId: string, selection: Selection, form: Form): string {
  const params = new URLSearchParams({ format: form, download: "1" });
  const { stage, taskId, since, until, levels, minLevel, search, regex } = selection;
  const parts = { stage, task_id: taskId, since, until, level: levels?.join(","), min_level: minLevel, search };
  for (const [name, value] of Object.entries(parts)) if (value) params.set(name, value);
  if (search && regex) params.set("regex", "1");
  return `/jobs/${encodeURIComponent(jobId)}/logs?${params.toString()}`;
}

/** Saves it as a file. A link cannot show a token, hence the way by the page where there is one. */
export async function download(jobId: string, selection: Selection, form: Form): Promise<void> {
  const address = downloadAddress(jobId, selection, form);
  const token = currentToken();
  if (token === null) {
    save(address);
    return;
  }
  const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`the download failed with status ${answer.status}`);
  const file = URL.createObjectURL(await answer.blob());
  save(file, `${jobId}.${form === "text" ? "log" : "ndjson"}`);
  setTimeout(() => { URL.revokeObjectURL(file); }, 60_000);
}

function save(address: string, name = ""): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
