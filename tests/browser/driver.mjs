// Drives the system's own Chromium for the tests of the console: one JSON request a line in, one JSON answer a line out.
// Every context notes what left this host, what the pages complained of, and what they refused to run.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, executable] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/package.json`));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const AsyncFunction = (async () => {}).constructor;
const browser = await chromium.launch({ executablePath: executable, chromiumSandbox: process.getuid() !== 0 });
let context = null, page = null, noted = null, base = "";

const open = async ({ at, width, height, scheme, scripts }) => {
  if (context) await context.close();
  base = at;
  noted = { foreign: [], complaints: [] };
  const mine = noted;
  context = await browser.newContext({ baseURL: base, viewport: { width, height }, colorScheme: scheme, javaScriptEnabled: scripts, reducedMotion: "reduce" });
  context.setDefaultTimeout(30_000);
  await context.route("**", (route) => {
    const ours = route.request().url().startsWith(`${base}/`);
    if (!ours) mine.foreign.push(route.request().url());
    return ours ? route.continue() : route.abort();
  });
  // What streams say is counted, so that a test can wait until the page has heard it.
  await context.addInitScript(() => {
    window.heard = {};
    const Usual = window.EventSource;
    window.EventSource = class extends Usual {
      constructor(...given) {
        super(...given);
        for (const name of ["marks", "beat", "closed"]) this.addEventListener(name, () => { window.heard[name] = (window.heard[name] || 0) + 1; console.debug(`heard ${name}`); });
      }
    };
  });
  page = await context.newPage();
  page.on("pageerror", (error) => mine.complaints.push(String(error)));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) mine.complaints.push(message.text()); });
};

// The rules are put in past the page's own policy, which would not run them; it holds again for the next page. The page
// is not renewed while they are gone through.
const rules = async () => {
  const session = await context.newCDPSession(page);
  const still = 'const rest = (event) => { event.detail.shouldSwap = false; }; document.addEventListener("htmx:beforeSwap", rest);';
  const { result } = await session.send("Runtime.evaluate", { expression: `{${still} ${axe};axe.run(document, {resultTypes: ["violations"]}).then((all) => JSON.stringify(all.violations.map((one) => ({id: one.id, impact: one.impact, where: one.nodes.map((node) => node.html.slice(0, 160))})))).finally(() => document.removeEventListener("htmx:beforeSwap", rest))}`, awaitPromise: true, returnByValue: true });
  await session.detach();
  return JSON.parse(result.value);
};

const does = {
  open,
  axe: rules,
  noted: async () => noted,
  run: async ({ code, given }) => new AsyncFunction("page", "context", "given", code)(page, context, given),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...rest } = JSON.parse(line);
  let answer;
  try { answer = { value: (await does[what](rest)) ?? null }; } catch (error) { answer = { error: String(error.stack || error) }; }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
