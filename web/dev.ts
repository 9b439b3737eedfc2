// node web/dev.ts [URL of a running shop, http://localhost:3000 unless given]
//
// The pages for their authors: each change is in the browser at once. The API is that of a shop that runs; the browser sees one
// origin. `/gallery` shows the parts of the kit.
import { createServer, type Plugin } from "vite";
import { config } from "./build.ts";

const shop = process.argv[2] ?? "http://localhost:3000";
const PASSED_ON = ["/api", "/health", "/openapi.json", "/asyncapi.json", "/docs", "/metrics", "/.well-known"];

/** Every address without a file gets the HTML of its application, as the gateway does it. */
const deepLinks: Plugin = {
  name: "deep-links",
  configureServer({ middlewares }) {
    middlewares.use((req, _res, next) => {
      const path = (req.url ?? "/").split("?", 1)[0]!;
      if (req.headers.accept?.includes("text/html"))
        req.url = `/${/^\/(console|gallery)(\/|$)/.exec(path)?.[1] ?? "storefront"}.html`;
      next();
    });
  },
};

const server = await createServer({
  ...config(),
  logLevel: "info",
  plugins: [deepLinks],
  server: { proxy: Object.fromEntries(PASSED_ON.map(path => [path, { target: shop }])) },
});
await server.listen();
server.printUrls();
