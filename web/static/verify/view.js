// A verdict as people read it, in the order of an act's page: the sentence, what became of the act, form and number and title
// and office, money and supplier, the dates with the lag, who signed the paper and who published, what was (not) checked.

import { isolated, make } from "./elements.js";
import { formatRef } from "./refs.js";
import { dateIn, groupCode, moneyIn, timeIn } from "./show.js";
import { NEVER_CHECKED, findCheck, headline, sentence, statusOf } from "./verdict.js";
import { escapeText } from "./words.js";

const LOOKS = { 0: "notice", 1: "notice.grave", 3: "notice.alert" };
// What must not be missed, the gravest first; later acts that only follow this one stand below its facts.
const GRAVE = [
  "policy-changed", "change-annuls", "change-revokes", "change-corrects", "document-withdrawn", "change-amends", "more-acts",
];
const QUIET = ["change-implements", "change-follows", "change-annex-of", "change-same-number-as", "change-undone"];
const CLAIMS = ["drafted_on", "promulgated_on", "effective_on", "expires_on"];

/**
 * Return the article of one verdict. `typed` asks to compare the facts with the paper; `page` gives the address of an act's page
 * (null where there is none); `subject` is shown where there are several verdicts.
 */
export function showVerdict(verdict, say, { typed = false, page = null, subject = null } = {}) {
  if (verdict.facts) say.offset = verdict.facts.utc_offset;
  const isOther = findCheck(verdict, "document")?.state === "failed";
  return make("article.verdict", { "data-status": statusOf(verdict) },
    showHead(verdict, say, subject),
    verdict.facts && isOther ? make("p", {}, make("strong", {}, say("verify.facts-of-proof"))) : null,
    verdict.facts ? showFacts(verdict, say) : null,
    verdict.facts ? showCompare(verdict.facts, say, typed, page) : null,
    showQuiet(verdict, say),
    showChecks(verdict, say));
}

function showHead(verdict, say, subject) {
  const loud = verdict.notices.filter((one) => !QUIET.includes(one.code));
  const told = [...loud, ...verdict.checks.filter(isToldFirst)].sort((one, other) => rankOf(one) - rankOf(other));
  const notices = [...new Map(told.map((one) => [sentence(one, say), one]))];
  return make(`div.${LOOKS[statusOf(verdict)]}`, {},
    subject === null ? null : make("p.subject", {}, isolated(escapeText(subject))),
    make("h2", { tabindex: "-1" }, headline(verdict, say)),
    showCode(verdict, say),
    notices.map(([text, one]) => make("p", {}, rankOf(one) < GRAVE.length ? make("strong", {}, text) : text)),
    showStanding(verdict, say));
}

/** What stands beside the headline: trouble of an online copy, and that nothing is pinned. */
const isToldFirst = (one) => "copy" in one.values || (one.name === "pinned" && one.state === "not_checked");

const rankOf = ({ code }) => (GRAVE.includes(code) ? GRAVE.indexOf(code) : GRAVE.length);

/** The code of a file that was not found, to compare it by eye. */
function showCode(verdict, say) {
  const document = findCheck(verdict, "document");
  if (document?.state !== "not_checked" || !document.values.sha256) return null;
  return make("p", {}, say("compare.this-code"), " ", make("code.code", {}, groupCode(document.values.sha256)));
}

/** That nothing later is recorded is told with its time, and how far that goes. */
function showStanding(verdict, say) {
  const later = findCheck(verdict, "later");
  if (later?.code !== "no-later-change" || statusOf(verdict) === 1) return null;
  return make("p", {}, say("compare.no-change", { time: later.values.time }));
}

function showFacts({ facts }, say) {
  const fact = (label, ...values) => make("div", {}, make("dt", {}, label), make("dd", {}, ...values));
  const list = (...rows) => make("dl.facts.head", {}, ...rows);
  const { money, supplier } = facts;
  return make("div.act", {},
    make("header", {},
      make("p.over", {}, isolated(facts.form), " ", make("b", {}, isolated(facts.number ?? say("fact.unnumbered")))),
      make("h3", {}, isolated(facts.title)),
      make("p.under", {}, isolated(facts.office))),
    money || supplier ? list(
      money ? fact(say("fact.money"), make("b", {}, moneyIn(money, say))) : null,
      supplier ? fact(say("fact.supplier"), isolated(supplier)) : null) : null,
    list(
      fact(say("page.date-paper"), paperDate(facts, say)),
      fact(say("page.date-claims"), claimsOf(facts, say)),
      fact(say("page.date-recorded"), `${timeIn(facts.time, say)}, ${lagOf(facts.lag_days, say)}`),
      fact(say("page.date-co-recorded"), facts.witnessed ? timeIn(facts.witnessed, say) : say("page.co-not-yet"))),
    showSigners(facts, say),
    showDocuments(facts, say, fact));
}

const paperDate = (facts, say) => dateIn(facts.dates.find(([name]) => name === "signed_on")[1], say);

function claimsOf(facts, say) {
  const claims = facts.dates.filter(([name]) => CLAIMS.includes(name)).map(([name, date]) => say(`page.claim-${name}`, { date }));
  return claims.length ? `${claims.join("; ")} ${say("page.as-stated")}` : say("page.date-claims-none");
}

function lagOf(days, say) {
  if (days === 0) return say("page.lag-none");
  return days > 0 ? say("page.lag", { days }) : say("page.lag-before", { days: -days });
}

function showSigners(facts, say) {
  const names = (all) => make("b", {}, isolated(all.join("; ")));
  const paper = facts.signed_on_paper.length ? facts.signed_on_paper : [say("page.signed-by-nobody")];
  const between = ` ${say("page.as-recorded")} · ${say("page.published-by")} `;
  return make("p.signers", {}, say("page.signed-on-paper"), " ", names(paper), between, names(facts.published_by));
}

function showDocuments(facts, say, fact) {
  const codes = facts.documents.map((one) => fact(isolated(one.name), make("code.code", {}, groupCode(one.sha256))));
  const because = ({ reason, law }) => isolated(say("fact.withheld-because", { reason, law }));
  const withheld = facts.withheld.map((one) => fact(say("fact.withheld"), because(one)));
  if (!codes.length && !withheld.length) return null;
  return make("details", {}, make("summary", {}, say("fact.file-code")), make("dl.facts", {}, ...codes, ...withheld));
}

function showCompare({ ref, index }, say, typed, page) {
  const words = [make("b", {}, say("page.compare")), ` ${say("page.compare-text")} `, make("b.code", {}, formatRef(ref)), "."];
  return make("div.actions", {},
    page === null ? null : make("a.button.quiet", { href: page(index) }, say("compare.act-page")),
    make("p", {}, ...words),
    typed ? make("p", {}, say("compare.paper")) : null);
}

function showQuiet(verdict, say) {
  const items = verdict.notices.filter((one) => QUIET.includes(one.code)).map((one) => make("li", {}, sentence(one, say)));
  return items.length ? make("section", {}, make("h3", {}, say("compare.later-acts")), make("ul", {}, ...items)) : null;
}

function showChecks(verdict, say) {
  const first = headline(verdict, say);
  const isTold = (one) => !isToldFirst(one) && !first.includes(sentence(one, say));
  const items = (states) => {
    const chosen = verdict.checks.filter((one) => states.includes(one.state) && isTold(one));
    return [...new Map(chosen.map((one) => [sentence(one, say), one]))].map(([text, one]) => showItem(one, text, say));
  };
  const made = items(["failed", "disputed"]).concat(items(["passed"]));
  const never = verdict.facts ? NEVER_CHECKED.map((code) => make("li", {}, say(`check.${code}`))) : [];
  const open = [...items(["not_checked"]), ...never];
  const part = (title, list) => (list.length ? make("div", {}, make("h3", {}, title), make("ul", {}, ...list)) : null);
  if (!made.length && !open.length) return null;
  return make("section.checks", {}, part(say("verify.checked"), made), part(say("verify.not-checked"), open));
}

/** What failed says so in words, not by colour. */
function showItem({ state }, text, say) {
  const word = state === "failed" || state === "disputed" ? make("strong", {}, say(`verify.headline-${state}`), " ") : null;
  return make("li", { class: state }, word, text);
}
