// Leaves names, versions and checksums in package-lock.json and takes out every address: npm ci finds the packages in the
// registry that it is set up for. `omit-lockfile-registry-resolved` in .npmrc keeps out the download addresses; what is
// left here are the packages' appeals for money and their notes on deprecation.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.deprecated;
}
const text = `${JSON.stringify(lock, null, 2)}\n`;
if (/"resolved"|:\/\//.test(text)) {
  throw new Error("package-lock.json still holds an address");
}
writeFileSync(path, text);
