// The page /verify: what a person drops, chooses, types or scans becomes verdicts. Nothing of it leaves the browser.

import { checkFiles, checkTyped } from "./checking.js";
import { canCheckEd25519 } from "./ed25519.js";
import { byId, make } from "./elements.js";
import { attempt } from "./errors.js";
import { foldNumber } from "./numbers.js";
import { acceptPolicy, openLedger } from "./opening.js";
import { isFounding, showPin } from "./pinning.js";
import { Pins } from "./pins.js";
import { parseRef } from "./refs.js";
import { canScan, refInCode, scan } from "./scan.js";
import { sha256OfBlob } from "./sha256.js";
import { Source } from "./source.js";
import { makeReadme, setBusy, showResults, tell, watchDrops } from "./stage.js";
import { makeSay } from "./words.js";

const data = JSON.parse(byId("words").textContent);
const say = makeSay(data.words, data.lang);
const source = new Source(location.origin);
const pins = new Pins(storage());
let ledger = null;
let turn = 0;

start();

async function start() {
  if (!(await canCheckEd25519())) {
    refuse();
    return;
  }
  watchDrops((files) => run(() => checkFiles(files, ledger, { readme: makeReadme(data.readme), progress: tellProgress }), {}));
  byId("typed").addEventListener("submit", (event) => {
    event.preventDefault();
    compareTyped(byId("typed-text").value);
  });
  watchPin();
  const scans = await canScan();
  byId("scan").hidden = !scans;
  byId("scan-none").hidden = scans;
  byId("scan").addEventListener("click", scanPaper);
  byId("camera-close").addEventListener("click", () => byId("camera").close());
  document.documentElement.dataset.ready = "yes";
}

/** Without Ed25519 nothing can be checked here, which is said; the file code can still be compared by eye. */
function refuse() {
  byId("cannot").hidden = false;
  byId("cannot-text").textContent = say(globalThis.isSecureContext ? "compare.no-ed25519" : "compare.not-secure");
  byId("scan-none").hidden = true;
  watchDrops(async (files) => {
    setBusy(true, say("compare.busy"));
    const codes = [];
    for (const file of files) codes.push(say("compare.file-code-only", { name: file.name, sha256: await sha256OfBlob(file) }));
    byId("result").replaceChildren(...codes.map((text) => make("p.notice.alert", { tabindex: "-1" }, text)));
    setBusy(false);
    byId("result").firstElementChild?.focus();
  });
  document.documentElement.dataset.ready = "yes";
}

/** Open the ledger afresh, make verdicts by `check`, and show them; what was asked later is answered last. */
async function run(check, options) {
  const mine = ++turn;
  setBusy(true, say("compare.busy"));
  try {
    ledger = await openLedger(source, pins);
    const verdicts = await check();
    if (mine !== turn) return;
    showResults(verdicts, say, { page: (index) => `/records/${index}${data.query}`, ...options });
    byId("pin").open ||= ledger.trusted?.pin === null; // a first visit: there is something to compare
    await showPin(pins, say, ledger);
  } catch (error) {
    setBusy(false);
    byId("result").replaceChildren(make("p.notice.alert", {}, say("compare.fault", { detail: String(error) })));
    throw error;
  }
}

function compareTyped(text, notice = null) {
  const ref = parseRef(text);
  if (ref === null && !foldNumber(text)) return null;
  return run(() => checkTyped(ref ? { ref } : { number: text }, ledger), { typed: true, notice });
}

async function scanPaper() {
  let text;
  try {
    text = await scan();
  } catch {
    tell(say("compare.scan-denied"));
    return;
  }
  if (text === null) return;
  const found = refInCode(text);
  if (!found) {
    tell(say("compare.scan-other", { text: text.slice(0, 200) }));
    return;
  }
  const isElsewhere = found.host !== null && found.host !== location.host;
  byId("typed-text").value = found.ref;
  await compareTyped(found.ref, isElsewhere ? say("compare.scan-elsewhere", { host: found.host }) : null);
}

function tellProgress(file, count) {
  if (file.size > 1 << 24) tell(say("compare.reading", { name: file.name, percent: Math.floor((100 * count) / file.size) }));
}

function watchPin() {
  showPin(pins, say);
  byId("pin-compare").addEventListener("submit", async (event) => {
    event.preventDefault();
    const pin = ledger?.pin ?? (await pins.load());
    const isSame = isFounding(byId("pin-typed").value, pin.founding);
    if (isSame) pins.confirm(pin);
    byId("pin-told").textContent = say(isSame ? "compare.founding-same" : "compare.founding-other");
    await showPin(pins, say, ledger);
  });
  byId("pin-forget").addEventListener("click", () => {
    if (!confirm(say("compare.pin-forget-sure"))) return;
    pins.forget();
    ledger = null;
    byId("pin-told").textContent = say("compare.pin-forgotten");
    showPin(pins, say);
  });
  byId("pin-accept").addEventListener("click", async () => {
    const accepted = await attempt(() => acceptPolicy(source, pins, ledger.pin, ledger.offered));
    byId("pin-told").textContent = say(accepted ? "compare.pin-accepted" : "compare.pin-not-accepted");
    ledger = null;
    await showPin(pins, say);
  });
}

/** localStorage, or null where the browser forbids it. */
function storage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}
