// Gives scripts beside it the npm packages of web/, which is where they are installed.
import { createRequire } from "node:module";

export const require = createRequire(new URL("../../web/package.json", import.meta.url));
