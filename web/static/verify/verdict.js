// The verdict: what was checked about one act and what was not, and the sentences that say so; as ledger/verifier/verdict.py.
//
// A check is {name, state, code, values}; states are passed, failed, disputed, not_checked. Trouble of an online copy is no
// trouble of a file whose proof holds without it: such a check carries the copy's place under `copy` and is never the headline.

import { formatRef, isRef } from "./refs.js";

const REQUIRED = ["checkpoint", "inclusion", "founding", "signature", "authority"];
const REQUIRED_IF_THERE = ["document", "pinned", "bag", "roster"];
export const NEVER_CHECKED = ["lawful", "certified-signature"];
const ON_PAPER = ["ref", "typed"];

/** Return a check. */
export const check = (name, state, code, values = {}) => ({ name, state, code, values });

/** Return the check that `error` ended: what could not be read or is newer is not checked, the rest failed. */
export const checkOf = (name, error) =>
  check(name, error.isUnknown ? "not_checked" : "failed", error.code, { detail: error.detail, ...error.values });

/** Return what a check made while reading an online copy says about that copy alone; a fork stays what it is. */
export function copyCheck(one, location) {
  if (one.code === "ledger-rolled-back") return check(one.name, "not_checked", "copy-behind", { ...one.values, copy: location });
  if (one.state !== "failed" || one.code === "ledger-forked") return one;
  return { ...one, values: { ...one.values, copy: location } };
}

/** Return 0, 1 or 3 as the design's section 7 has it: true; false or disputed; not checked. */
export function statusOf(verdict) {
  if (verdict.checks.some((one) => one.state === "failed" || one.state === "disputed")) return 1;
  return unchecked(verdict).length ? 3 : 0;
}

/** Return false before not checked before true, of several verdicts. */
export function combinedStatus(verdicts) {
  const statuses = verdicts.map(statusOf);
  return [1, 3].find((status) => statuses.includes(status)) ?? (statuses.length ? 0 : 3);
}

/** Return the names of the required checks that nobody made. */
export function unchecked(verdict) {
  const made = new Set(verdict.checks.map((one) => one.name));
  const required = [...REQUIRED, ...REQUIRED_IF_THERE];
  const open = verdict.checks.filter((one) => one.state === "not_checked" && required.includes(one.name)).map((one) => one.name);
  return [...REQUIRED.filter((name) => !made.has(name)), ...open];
}

/** Return the first check of that name. */
export const findCheck = (verdict, name) => verdict.checks.find((one) => one.name === name);

/** Return the first sentence: what failed, what is disputed, what is missing, or what was found. */
export function headline(verdict, say) {
  for (const state of ["failed", "disputed"]) {
    const worst = verdict.checks.find((one) => one.state === state && !("copy" in one.values));
    if (worst) return `${say(`verify.headline-${state}`)} ${sentence(worst, say)}`;
  }
  const document = findCheck(verdict, "document");
  if (document?.state === "not_checked" && document.code !== "document-not-compared") return sentence(document, say);
  const newer = verdict.checks.find((one) => one.code === "newer-format");
  if (newer) return sentence(newer, say);
  return foundSentence(verdict, document, say);
}

function foundSentence(verdict, document, say) {
  const isIncluded = verdict.checks.some((one) => one.name === "inclusion" && one.state === "passed");
  if (!verdict.facts || !isIncluded) return say("verify.headline-unchecked");
  const kind = !document ? "published" : document.code === "document-committed" ? "committed" : "identical";
  const { city, local_date, index } = verdict.facts;
  const found = say(`verify.headline-${kind}`, { city, date: say.date(local_date), index });
  return unchecked(verdict).length ? `${found} ${say("verify.headline-partly")}` : found;
}

/** Return a check's sentence: the browser's own, the verifier's, or that of the refusal or error whose code it carries. */
export function sentence(one, say) {
  const { copy, ...others } = one.values;
  if (one.state === "failed" && copy !== undefined) {
    return say("check.copy-damaged", { location: copy, cause: sentence({ ...one, values: others }, say) });
  }
  const values = { detail: one.code, ...one.values };
  for (const key of ON_PAPER) if (isRef(values[key])) values[key] = formatRef(values[key]);
  const key = ["compare", "check", "reason", "error"].map((section) => `${section}.${one.code}`).find((name) => say.has(name));
  return say(key ?? "check.other", values);
}
