import { defineConfig } from "vite";

import { firstLoad } from "./firstLoad";

// Pages for the service, which mounts graph/static at /static. A page is web/<name>/index.html and is built to
// graph/static/<name>/index.html; a new one is named in `input`.
export default defineConfig({
  base: "/static/",
  publicDir: false,
  plugins: [firstLoad("viewer", 60_000)],
  build: {
    outDir: "../graph/static",
    emptyOutDir: true,
    target: "es2022",
    // The service's Content-Security-Policy wants plain files; every browser of this target preloads by itself.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // GraphiQL's core is one large piece, and it comes from the same machine.
    chunkSizeWarningLimit: 1_000,
    rollupOptions: {
      input: ["viewer/index.html", "graphiql/index.html"],
      output: {
        // Its modules import each other in a circle, which must not run across files.
        manualChunks: (id) => (id.includes("/graphql-language-service/") ? "graphql-language-service" : undefined),
      },
      onwarn: (warning, warn) => {
        // "use client" says nothing to a page that is all client.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
    },
  },
});
