// Opens pages in headless Chromium and says what is wrong with them. Usage: check.mjs TOOLS NAME=PAGE...
// With LOADCALL_PICTURES=FOLDER it leaves pictures of them there.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [tools, ...pages] = process.argv.slice(2);
const require = createRequire(resolve(tools, "package.json"));
const load = async (of) => { const it = await import(pathToFileURL(require.resolve(of))); return it.default ?? it; };
const chromium = await load("@sparticuz/chromium");
const puppeteer = await load("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const pictures = process.env.LOADCALL_PICTURES;

let wrong = [];
let [name, url, folder] = ["", "", ""];
const expect = (is, what) => { if (!is) wrong.push(what); };

const browser = await puppeteer.launch({
  args: [...chromium.args, "--no-sandbox", "--autoplay-policy=user-gesture-required"],
  executablePath: await chromium.executablePath(),
  headless: "shell",
});
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A page that reports every message and every request; none may leave the folder.
const open = async ({ width = 1280, height = 900, scheme = "light" } = {}) => {
  const page = await browser.newPage();
  page.on("console", (message) => wrong.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message ?? error}`));
  page.on("dialog", (dialog) => { wrong.push("a dialog opened"); dialog.dismiss(); });
  page.on("request", (request) => {
    const to = request.url();
    const inside = to === url || to.startsWith("blob:") || to.startsWith("data:") || to.startsWith(`${folder}/audio/`);
    expect(inside, `a request leaves the page: ${to.slice(0, 200)}`);
  });
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }]);
  const begin = performance.now();
  await page.goto(url, { waitUntil: "load" });
  const took = performance.now() - begin;
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => done())));
  return { page, took };
};
const picture = async (page, of) => {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}-${of}.png`) });
};

const accessible = async (page, what) => {
  // The page's own policy forbids foreign scripts, so that of axe comes past it.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.failureSummary.split("\n").slice(1, 2)}`).join(" | ")}`));
  for (const violation of found) wrong.push(`axe, ${what}: ${violation}`);
};
const fits = async (page, what) => {
  const [has, wants] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  expect(wants <= has, `${what}: the page is ${wants} px wide on ${has} px`);
};
// Everything in the page that could come of a text: elements that we never write, attributes that act.
const harmless = async (page, what) => {
  const found = await page.evaluate(() => {
    const acting = [...document.querySelectorAll("*")].flatMap((of) => [...of.attributes]
      .filter((a) => a.name.startsWith("on") || a.name === "style" || /^\s*javascript:/i.test(a.value)).map((a) => `${of.tagName} ${a.name}`));
    const foreign = [...document.querySelectorAll("img, iframe, object, embed, form, base, link, b, script[src], meta[http-equiv=refresh], foreignObject, animate, use")];
    return { pwned: window.pwned, acting, foreign: foreign.map((of) => of.outerHTML.slice(0, 80)), links: [...document.querySelectorAll("a")].map((a) => a.getAttribute("href")).filter((to) => !to.startsWith("#")) };
  });
  expect(found.pwned === undefined, `${what}: a script of the recording ran`);
  expect(found.acting.length === 0, `${what}: attributes that act: ${found.acting}`);
  expect(found.foreign.length === 0, `${what}: foreign elements: ${found.foreign}`);
  expect(found.links.length === 0, `${what}: links that leave: ${found.links}`);
};
const structure = async (page) => {
  const found = await page.evaluate(() => {
    const ids = [...document.querySelectorAll("[id]")].map((of) => of.id);
    const visible = (of) => of.checkVisibility();
    return {
      twice: ids.filter((id, i) => ids.indexOf(id) !== i),
      dead: [...document.querySelectorAll('a[href^="#"]')].map((a) => a.getAttribute("href").slice(1)).filter((id) => !/^call-\d+$/.test(id) && !document.getElementById(id)),
      bare: [...document.querySelectorAll("table")].filter((of) => !of.caption).length,
      unnamed: [...document.querySelectorAll("svg")].filter((of) => visible(of) && !of.closest('[aria-hidden="true"]') && !(of.getAttribute("role") === "img" && of.querySelector("title") && of.querySelector("desc"))).length,
      headings: [...document.querySelectorAll("h1, h2, h3")].filter(visible).map((h) => h.textContent.trim()),
    };
  });
  expect(found.twice.length === 0, `ids twice: ${found.twice}`);
  expect(found.dead.length === 0, `links to nothing: ${found.dead}`);
  expect(found.bare === 0, `${found.bare} tables without a caption`);
  expect(found.unnamed === 0, `${found.unnamed} pictures without a name`);
  return found.headings;
};

const check = async () => {
  /* One after another: each of these sees the page as somebody else does. */
  const { page, took } = await open();
  const headings = await structure(page);
  for (const of of ["Thresholds", "What changed, by stage", "Outcomes", "Each turn", "Load over time", "Calls", "Load generator health", "What was run", "Definitions"]) {
    expect(headings.includes(of), `there is no section "${of}", only ${headings}`);
  }
  // With a comparison it shows what was asked, else the metric that a comparison would ask of.
  const chief = ["What decides first", "Primary metric"].filter((of) => headings.includes(of));
  expect(chief.length === 1, `the chief section is ${chief}, of ${headings}`);
  // Generous: the machine may be busy with other tests.
  if (name === "large") expect(took < 4000, `the page took ${Math.round(took)} ms to open`);
  await harmless(page, "report");
  await accessible(page, "report, light");
  await picture(page, "first");
  if (name === "judged") {
    const problems = await page.$$eval(".problems a", (all) => all.map((a) => a.getAttribute("href")));
    expect(problems.length > 0 && problems.length <= 3, `problems: ${problems}`);
  }

  /* By keyboard alone. */
  const focus = () => page.evaluate(() => {
    const on = document.activeElement;
    return { id: on.id, text: on.textContent.trim().slice(0, 40), tag: on.tagName, seen: getComputedStyle(on).outlineStyle, isCall: Boolean(on.closest("#call-list tbody th")) };
  });
  await page.keyboard.press("Tab");
  expect((await focus()).text === "Skip to the report", "the first stop is the skip link");
  await page.keyboard.press("Enter");
  let stop = null;
  for (let i = 0; i < 400; i += 1) {
    await page.keyboard.press("Tab");
    stop = await focus();
    expect(stop.seen !== "none", `the focus is not seen on ${stop.tag} ${stop.text.slice(0, 40)}`);
    if (await page.evaluate(() => Boolean(document.activeElement.closest("#call-list tbody th")))) break;
  }
  await page.keyboard.press("Enter");
  await page.waitForSelector("#lanes");
  const order = await page.evaluate(() => JSON.parse(document.getElementById("shared").textContent).order);
  const title = () => page.$eval("#call-title", (h) => h.textContent);
  const call = async (id) => page.waitForFunction((want) => document.getElementById("call-title")?.textContent === want, { timeout: 5000 }, `Call ${id}`);
  expect(await title() === `Call ${order[0]}`, `the first call of the list is ${order[0]}, and ${await title()} opens`);
  expect((await focus()).id === "call-title", "the focus is on the call's heading");
  await page.keyboard.press("n");
  await call(order[1]);
  await page.keyboard.press("n");
  await call(order[2]);
  await page.keyboard.press("p");
  await call(order[1]);
  await page.keyboard.press("p");
  await call(order[0]);
  expect(await page.$eval("#run", (of) => of.hidden), "the report is out of the way");
  await structure(page);
  await harmless(page, "call");
  if (name !== "large") await accessible(page, "call, light");
  await fits(page, "call");

  /* Hearing it: what the player plays, where the playhead stands and what the lanes show are the same moment. */
  if (name === "judged") {
    await page.waitForFunction(() => document.getElementById("call").dataset.waves, { timeout: 10000 });
    await picture(page, "call");
    await page.keyboard.press(" ");
    await page.waitForFunction(() => { const of = document.getElementById("sound"); return !of.paused && of.currentTime > 0.3; }, { timeout: 10000 });
    expect(await page.$eval("#play", (of) => of.textContent) === "Pause", "the button says what it does");
    const agrees = () => page.evaluate(() => {
      const data = JSON.parse(document.getElementById(`data-${location.hash.slice(6)}`).textContent);
      const sound = document.getElementById("sound");
      const head = document.querySelector(".playhead");
      const tick = [...document.querySelectorAll("#lanes .tick")].map((of) => Number(of.getAttribute("x1")));
      const label = [...document.querySelectorAll("#lanes .tick + text")].map((of) => parseFloat(of.textContent) * 1000);
      const scale = (tick[1] - tick[0]) / (label[1] - label[0]);
      return { is: Number(head.getAttribute("x1")) / scale, plays: sound.currentTime * 1000 + data.audio.from, from: data.audio.from };
    });
    for (let i = 0; i < 3; i += 1) {
      await pause(150);
      const { is, plays } = await agrees();
      expect(Math.abs(is - plays) < 50, `the playhead stands at ${is} ms while ${plays} ms is played`);
    }
    await page.keyboard.press(" ");
    await page.waitForFunction(() => document.getElementById("sound").paused);
    // From the words: the button of the second utterance.
    const spot = await page.evaluate(() => {
      const data = JSON.parse(document.getElementById(`data-${location.hash.slice(6)}`).textContent);
      const of = [...document.querySelectorAll(".transcript .caller .from")][1];
      of.focus();
      return data.said[1][0];
    });
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.getElementById("sound").paused, { timeout: 5000 });
    const after = await agrees();
    expect(after.plays >= spot - 5 && after.plays < spot + 1500 && Math.abs(after.is - after.plays) < 50, `play from ${spot}: ${JSON.stringify(after)}`);
    await page.evaluate(() => document.getElementById("sound").pause());
    // An ear of its own: where the decoded sound of each side begins is where the lanes say.
    const onsets = await page.evaluate(async () => {
      const id = location.hash.slice(6);
      const data = JSON.parse(document.getElementById(`data-${id}`).textContent);
      const bytes = Uint8Array.from(atob(document.getElementById(`audio-${id}`).textContent), (c) => c.charCodeAt(0));
      const decoded = await new OfflineAudioContext(2, 1, 48000).decodeAudioData(bytes.buffer);
      const first = (channel) => decoded.getChannelData(channel).findIndex((v) => Math.abs(v) > 0.02) / decoded.sampleRate * 1000 + data.audio.from;
      const rects = (of) => Number(document.querySelector(`#lanes rect.${of}`).getAttribute("x"));
      const ticks = [...document.querySelectorAll("#lanes .tick")].map((of) => Number(of.getAttribute("x1")));
      const labels = [...document.querySelectorAll("#lanes .tick + text")].map((of) => parseFloat(of.textContent) * 1000);
      const scale = (ticks[1] - ticks[0]) / (labels[1] - labels[0]);
      return [["caller", first(0), rects("said") / scale], ["agent", first(1), rects("heard") / scale]];
    });
    for (const [side, heard, drawn] of onsets) expect(Math.abs(heard - drawn) < 50, `the ${side} is heard from ${heard} ms and drawn from ${drawn} ms`);
    // A call whose audio is a file beside the page plays, too.
    const linked = await page.evaluate(() => JSON.parse(document.getElementById("shared").textContent).order.find((id) => !document.getElementById(`audio-${id}`)));
    expect(linked !== undefined, "some audio is linked");
    await page.evaluate((id) => { location.hash = `#call-${id}`; }, linked);
    await call(linked);
    await page.focus("#play");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("sound").currentTime > 0.2, { timeout: 10000 }).catch(() => wrong.push("the linked audio does not play"));
  } else {
    await picture(page, "call");
  }
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.getElementById("run").hidden);
  expect(await page.$eval("#call", (of) => of.hidden), "the call is closed");
  if (name === "large") {
    await page.click("#show-all");
    expect(await page.$$eval("#call-list tbody tr:not([hidden])", (all) => all.length) === 1000, "all calls are listed");
  }

  /* On paper. */
  await page.emulateMediaType("print");
  const printed = await page.evaluate(() => [...document.querySelectorAll("#run h2, #run table, #run figure, #run dl")].filter((of) => !of.checkVisibility()).map((of) => of.textContent.slice(0, 40)));
  expect(printed.length === 0, `not printed: ${printed}`);
  await page.close();

  /* In the dark, on a phone, without scripts. */
  const dark = (await open({ scheme: "dark" })).page;
  if (name === "example" || name === "judged") await accessible(dark, "report, dark");
  await picture(dark, "first-dark");
  await dark.evaluate((id) => { location.hash = `#call-${id}`; }, order[0]);
  await dark.waitForSelector("#lanes");
  if (name === "judged") await accessible(dark, "call, dark");
  if (pictures) await pause(800);
  await picture(dark, "call-dark");
  await dark.close();
  const phone = (await open({ width: 390, height: 844 })).page;
  await fits(phone, "report on a phone");
  await picture(phone, "first-phone");
  if (pictures) await phone.screenshot({ path: join(pictures, `${name}-all-phone.png`), fullPage: true });
  await phone.evaluate((id) => { location.hash = `#call-${id}`; }, order[0]);
  await phone.waitForSelector("#lanes");
  await fits(phone, "call on a phone");
  await picture(phone, "call-phone");
  await phone.close();
  const plain = await browser.newPage();
  await plain.setJavaScriptEnabled(false);
  await plain.goto(url, { waitUntil: "load" });
  const text = await plain.$eval("body", (of) => of.innerText);
  expect(/Verdict/.test(text) && /The page of a call needs JavaScript/.test(text), "without scripts the report is there");
  if (pictures) {
    await plain.setViewport({ width: 1280, height: 900 });
    await plain.screenshot({ path: join(pictures, `${name}-all.png`), fullPage: true });
  }
  return took;
};

let faults = 0;
for (const one of pages) {
  const [of, ...path] = one.split("=");
  const file = path.join("=");
  [name, url, folder, wrong] = [of, pathToFileURL(file).href, pathToFileURL(dirname(file)).href, []];
  const begin = performance.now();
  const took = await check().catch((error) => { wrong.push(`the check itself: ${error.stack}`); return NaN; });
  for (const of of [...new Set(wrong)].slice(0, 40)) process.stdout.write(`✗ ${name}: ${of.slice(0, 600)}\n`);
  process.stdout.write(`${name}: opened in ${Math.round(took)} ms, looked at in ${Math.round(performance.now() - begin)} ms, ${wrong.length} faults\n`);
  faults += wrong.length;
}
await browser.close();
process.exit(faults === 0 ? 0 : 1);
