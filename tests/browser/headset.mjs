// The operator's page in a real Chromium with an emulated headset, driven by lines of JSON:
// {"do": ..., ...} in, {"ok": ...} out. What it does comes from tests/browser/headset.py.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--enable-unsafe-swiftshader"];
const iwer = join(dirname(createRequire(import.meta.url).resolve("iwer")), "..", "build", "iwer.min.js");
const browser = await chromium.launch({ executablePath: process.env.ROVE_CHROMIUM, args: flags });
const problems = [];
let page;

const steps = {
  async open({ url, headset, lazy, width, height }) {
    const context = await browser.newContext({ viewport: { width, height }, ignoreHTTPSErrors: true });
    page = await context.newPage();
    page.setDefaultTimeout(60000);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("request", (request) => {
      const asked = new URL(request.url());
      if (asked.host && asked.host !== new URL(url).host) problems.push("asked for " + request.url());
    });
    if (headset) {
      await page.addInitScript({ path: iwer });
      await page.addInitScript(() => {
        const device = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: false });
        device.position.set(0, 1.6, 0);
        device.installRuntime({ forceInstall: true });
        // IWER calls every position emulated; a headset only those that it does not see.
        Object.defineProperty(XRPose.prototype, "emulatedPosition", { get: () => false });
        globalThis.headset = device;
      });
    }
    if (lazy) {
      // A frame of 3-D without a graphics card takes a core for long; two in a second will do.
      await page.addInitScript(() => {
        globalThis.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 500);
        globalThis.cancelAnimationFrame = clearTimeout;
      });
    }
    await page.goto(url);
    return await page.evaluate(() => isSecureContext);
  },
  async text({ selector }) { return await page.locator(selector).first().innerText(); },
  // With a patience (ms): whether it could be clicked; it may turn grey meanwhile.
  async click({ selector, patience }) {
    try {
      await page.locator(selector).first().click({ timeout: patience });
    } catch (error) {
      if (patience && error.name === "TimeoutError") return false;
      throw error;
    }
    return true;
  },
  async fill({ selector, text }) {
    const field = page.locator(selector).first();
    await field.fill(text);
    await field.blur();
  },
  async key({ code, down }) { await page.keyboard[down ? "down" : "up"](code); },
  async run({ script }) { return await page.evaluate(script); },
  async until({ script, patience }) {
    // The page's own rules forbid eval, which playwright's waitForFunction needs.
    const end = Date.now() + patience;
    while (!(await page.evaluate(script))) {
      if (Date.now() > end) throw new Error("in vain: " + script);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
  async shot({ path }) { await page.screenshot({ path }); },
  async shut() { await page.close(); },
  async problems() { return problems; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await steps[name](given)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
