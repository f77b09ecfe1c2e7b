// Writes viewer/graph/generated.ts: the types of schema.graphql that the viewer's operations use, and the operations
// themselves as typed strings. An operation is a file viewer/**/*.graphql, named as its operation.
import { codegen } from "@graphql-codegen/core";
import * as operations from "@graphql-codegen/typescript-operations";
import * as documents from "@graphql-codegen/typed-document-node";
import { buildSchema, parse } from "graphql";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL(".", import.meta.url));
const target = join(web, "viewer/graph/generated.ts");
const schema = readFileSync(join(web, "../schema.graphql"), "utf8");
const files = readdirSync(join(web, "viewer"), { recursive: true })
  .filter((name) => name.endsWith(".graphql"))
  .sort();

const output = await codegen({
  filename: target,
  schema: parse(schema),
  schemaAst: buildSchema(schema),
  documents: files.map((name) => ({
    location: name,
    document: parse(readFileSync(join(web, "viewer", name), "utf8")),
  })),
  config: {
    documentMode: "string",
    useTypeImports: true,
    scalars: { BigInt: "number", DateTime: "string", JSON: "unknown" },
    strictScalars: true,
  },
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations, documents },
});
// What did not change keeps its time, so that make builds nothing anew.
if (!existsSync(target) || readFileSync(target, "utf8") !== output) {
  writeFileSync(target, output);
}
