// What the page and the file to keep have in common: taking files, telling progress, and showing results.

import { byId, make } from "./elements.js";
import { combinedStatus } from "./verdict.js";
import { showVerdict } from "./view.js";

/** Say one line to everybody, also to those who listen; "" falls silent. */
export function tell(text) {
  byId("told").textContent = text;
}

/** Say that the comparison has begun, or ended. */
export function setBusy(isBusy, text = "") {
  tell(text);
  byId("result").setAttribute("aria-busy", String(isBusy));
}

/** Call `take` with the files that are dropped anywhere on the page or chosen; a drop never leaves the page. */
export function watchDrops(take) {
  const zone = byId("drop");
  const files = byId("files");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) take([...event.dataTransfer.files]);
    });
  }
  files.addEventListener("change", () => {
    const chosen = [...files.files];
    files.value = ""; // so that the same file can be chosen again
    if (chosen.length) take(chosen);
  });
}

/** Show the verdicts, and lead the reader to the first sentence. */
export function showResults(verdicts, say, { notice = null, ...options }) {
  const isOne = verdicts.length === 1;
  const articles = verdicts.map((one) => showVerdict(one, say, { ...options, subject: isOne ? null : one.subject }));
  const count = verdicts.length > 1 ? make("p", {}, say("compare.count", { count: verdicts.length })) : null;
  byId("result").replaceChildren(...[notice && make("p.notice.alert", {}, notice), count, ...articles].filter(Boolean));
  byId("result").dataset.status = combinedStatus(verdicts);
  setBusy(false);
  byId("result").scrollIntoView();
  byId("result").querySelector("h2")?.focus({ preventScroll: true });
}

/** Return the function that gives the README of a bundle, from the text as this version writes it. */
export const makeReadme = ({ text, origin, count }) => (realOrigin, realCount) =>
  text.replace(origin, () => realOrigin).replace(count, () => String(realCount));
