// Builds the page into dist/: bundles, worker, styles and the vendored assets that /docs and the sheet need.
import { cp, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { context } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("dist/");
const modules = here("node_modules/");

await rm(out, { recursive: true, force: true });
await mkdir(`${out}vendor`, { recursive: true });

const shared = { bundle: true, minify: true, format: "esm", target: "chrome109", outdir: out, legalComments: "linked" };
const builds = [
  { ...shared, entryPoints: ["src/app.js", "src/app.css"] },
  { ...shared, format: "iife", entryPoints: ["src/docs.js"] },
  // MapLibre parses tiles in a worker, which must be a module of its own on the same origin.
  { ...shared, entryPoints: { worker: "maplibre-gl/dist/maplibre-gl-worker.mjs" } },
];
const copies = {
  "src/index.html": "index.html",
  "src/favicon.svg": "favicon.svg",
  [`${modules}swagger-ui-dist/swagger-ui-bundle.js`]: "vendor/swagger-ui-bundle.js",
  [`${modules}swagger-ui-dist/swagger-ui.css`]: "vendor/swagger-ui.css",
  [`${modules}swagger-ui-dist/LICENSE`]: "vendor/swagger-ui.LICENSE.txt",
  [`${modules}leaflet/dist/leaflet.js`]: "vendor/leaflet.js",
  [`${modules}leaflet/dist/leaflet.css`]: "vendor/leaflet.css",
  [`${modules}leaflet/LICENSE`]: "vendor/leaflet.LICENSE.txt",
  [`${modules}maplibre-gl/LICENSE.txt`]: "vendor/maplibre-gl.LICENSE.txt",
  [`${modules}preact/LICENSE`]: "vendor/preact.LICENSE.txt",
};

const watching = process.argv.includes("--watch");
for (const options of builds) {
  const build = await context({ ...options, absWorkingDir: here(".") });
  await build.rebuild();
  if (watching) await build.watch();
  else await build.dispose();
}
for (const [from, to] of Object.entries(copies)) await cp(from.startsWith(modules) ? from : here(from), `${out}${to}`);
