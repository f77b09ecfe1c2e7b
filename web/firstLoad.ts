// Holds a page to a bound: all that a browser loads before it shows itself, gzipped.
import { gzipSync } from "node:zlib";
import type { Plugin, Rollup } from "vite";

export function firstLoad(page: string, mostBytes: number): Plugin {
  return {
    name: "first-load",
    writeBundle(_, bundle) {
      const html = bundle[`${page}/index.html`];
      if (html?.type !== "asset") return;
      const sizes = [html.fileName, ...linkedFiles(String(html.source))].map((name) => gzippedBytes(bundle[name]));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (total > mostBytes) this.error(`${page} loads ${total} bytes gzipped at first, more than ${mostBytes}`);
      this.info(`${page} loads ${total} bytes gzipped at first`);
    },
  };
}

/** Vite names in the page its script, all that the script imports at once, and the styles. */
function linkedFiles(html: string): string[] {
  return [...html.matchAll(/(?:src|href)="\/static\/([^"]+)"/g)].map((match) => match[1] ?? "");
}

function gzippedBytes(file: Rollup.OutputAsset | Rollup.OutputChunk | undefined): number {
  if (!file) return 0;
  return gzipSync(file.type === "chunk" ? file.code : file.source).length;
}
