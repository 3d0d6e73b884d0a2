// The one replay: whether a record may stand where it stands, and what the acts after it did; as ledger/records/replay.py.
//
// Acts that came before are asked of `acts` (byRef, byNumber, relatingTo, each with a promise); see acts.js.

import { has, parseCanonical } from "./canonical.js";
import { localDate } from "./entry.js";
import { asLedgerError, reason } from "./errors.js";
import { lineOf } from "./events.js";
import { foldNumber, serialIn } from "./numbers.js";
import { checkRecord, parseRecord } from "./record.js";
import { signatureHolds } from "./roster.js";

const BINDING = ["amends", "corrects", "revokes", "annuls", "completes"];
const UNDOING = ["annuls", "corrects"];
const MAY_REPEAT_NUMBER = ["same_number_as", "corrects", "amends"];

/** Return the act that `record` becomes at its place. */
export function actOf(record, index, time) {
  const { ref, kind, form, office, number, title, signed_on, signers } = record.data;
  const relations = record.data.relations.filter((one) => has(one, "ref")).map((one) => [one.type, one.ref]);
  const key = number === null ? null : numberKey(record.data);
  return { index, time, id: record.id, ref, kind, form, office, number, title, signed_on, signers, relations, numberKey: key };
}

/** The key under which a number counts as used, and its folded form. */
function numberKey({ form, office, number, signed_on }) {
  return { folded: foldNumber(number), whole: JSON.stringify([form, office, foldNumber(number), signed_on.slice(0, 4)]) };
}

/** Return every reason against a record's envelope by the roster and acts before it, design section 3.5, in its order. */
export async function judgeRecord(roster, acts, envelope, time) {
  let record;
  try {
    record = parseRecord(envelope.payload);
  } catch (error) {
    return reasonsOf(asLedgerError(error), envelope);
  }
  const { data } = record;
  if (data.founding !== roster.founding) {
    return [reason("other-founding", "founding", { value: data.founding.slice(0, 16), expected: roster.founding.slice(0, 16) })];
  }
  const signers = await judgeSigners(roster, envelope, data, time);
  return [
    ...signers.reasons,
    ...judgeForm(roster, data),
    ...judgeSeries(roster, data),
    ...judgeDocuments(roster, record),
    ...(await judgeRelations(roster, acts, data, signers.enrolments)),
    ...(await judgeNames(acts, data)),
  ];
}

function reasonsOf(error, envelope) {
  if (error.kind === "admission") return error.reasons;
  if (error.kind === "newer") return checkRecord(parseCanonical(envelope.payload, envelope.payload.length));
  return [reason(error.code, "", error.values)];
}

/** Return the reasons against the signatures, and the enrolments of those that count. */
async function judgeSigners(roster, envelope, data, time) {
  const date = localDate(time, roster.utcOffset);
  const reasons = [], enrolments = [];
  const keyids = envelope.signatures.map((one) => one.keyid);
  if (keyids.length !== data.signers.length || keyids.some((keyid, at) => keyid !== data.signers[at])) {
    reasons.push(reason("signatures-are-not-the-signers", "signers"));
  }
  for (const signature of envelope.signatures) {
    const enrolment = roster.enrolments.get(signature.keyid);
    const against = judgeKey(enrolment, signature.keyid, date);
    if (against) reasons.push(against);
    else if (await signatureHolds(envelope, signature, enrolment.key)) enrolments.push(enrolment);
    else reasons.push(reason("bad-signature", "signatures", { keyid: signature.keyid.slice(0, 16) }));
  }
  return { reasons: [...reasons, ...judgeRule(roster, data, enrolments)], enrolments };
}

/** What speaks against one key on the local `date` of recording; null if it may sign. */
function judgeKey(enrolment, keyid, date) {
  const values = { keyid: keyid.slice(0, 16), date };
  if (!enrolment) return reason("key-not-enrolled", "signatures", values);
  Object.assign(values, { holder: enrolment.holder, begins: enrolment.begins, until: enrolment.until ?? "…" });
  if (enrolment.revokedAt !== null) return reason("key-revoked", "signatures", values);
  if (enrolment.retiredAt !== null) return reason("key-retired", "signatures", values);
  const isInTerm = enrolment.begins <= date && (enrolment.until === null || date <= enrolment.until);
  return isInTerm ? null : reason("key-outside-term", "signatures", values);
}

/** Enough different holders, enrolled for this office and kind, and in the positions that the rule names. */
function judgeRule(roster, { kind, office }, enrolments) {
  const counting = enrolments.filter((one) => one.offices.includes(office) && one.kinds.includes(kind));
  if (!counting.length) return [reason("no-signer-for-office-and-kind", "signers", { kind, office })];
  const rule = roster.rules.get(kind);
  if (!rule) return [];
  const positions = rule.positions ?? [];
  const placed = counting.filter((one) => !positions.length || positions.includes(one.position));
  const holders = new Set(placed.map((one) => one.holder));
  if (holders.size >= rule.signatures) return [];
  const values = { kind, office, count: holders.size, needed: rule.signatures, positions: positions.join(", ") || "…" };
  return [reason("rule-not-met", "signers", values)];
}

function judgeForm(roster, { office, form, kind }) {
  const known = roster.forms.get(form);
  const isOther = known && known.kind !== kind;
  return [
    ...(roster.offices.has(office) ? [] : [reason("unknown-office", "office", { value: office })]),
    ...(known ? [] : [reason("unknown-form", "form", { value: form })]),
    ...(isOther ? [reason("form-of-other-kind", "form", { value: form, kind: known.kind })] : []),
  ];
}

function judgeSeries(roster, data) {
  const isVoid = data.kind === "void";
  const reasons = isVoid ? judgeBook(roster, data, data.fields.series, "fields.series", data.fields.serials) : [];
  if (!has(data, "series")) return reasons;
  reasons.push(...judgeBook(roster, data, data.series, "series", [data.serial]));
  const book = roster.series.get(data.series);
  if (!book) return reasons;
  if (!book.forms.includes(data.form)) {
    reasons.push(reason("form-not-in-series", "series", { value: data.series, form: data.form }));
  }
  const shown = data.number === null ? null : serialIn(data.number, book.pattern);
  if (shown !== null && shown !== data.serial) {
    reasons.push(reason("serial-differs", "serial", { value: data.serial, shown, number: data.number }));
  }
  return reasons;
}

function judgeDocuments(roster, record) {
  const withdrawn = record.documents.filter((one) => roster.withdrawn.has(one.sha256));
  return withdrawn.map(({ name }) => reason("document-withdrawn", "documents", { name }));
}

function judgeBook(roster, { office }, series, path, serials) {
  const book = roster.series.get(series);
  const least = Math.min(...serials);
  if (!book || book.office !== office) return [reason("unknown-series", path, { value: series, office })];
  return least < book.start ? [reason("serial-before-start", path, { value: least, start: book.start })] : [];
}

async function judgeRelations(roster, acts, data, signers) {
  const offices = new Set(signers.filter((one) => one.kinds.includes(data.kind)).flatMap((one) => one.offices));
  const reasons = [];
  for (const [at, { type, ref }] of data.relations.entries()) {
    if (ref === undefined) continue;
    const path = `relations[${at}]`;
    const target = await acts.byRef(ref);
    if (!target) reasons.push(reason("unknown-target", path, { value: ref }));
    else if (BINDING.includes(type) && !isCompetent(roster, offices, target.office)) {
      reasons.push(reason("not-competent", path, { type, value: target.ref, office: target.office }));
    }
  }
  return reasons;
}

/** A signer of the target's office or one above it, or a rule that names the pair. */
function isCompetent(roster, offices, target) {
  const line = [...lineOf(roster, target), target];
  return [...offices].some((office) => line.includes(office) || roster.competences.has(`${office} ${target}`));
}

/** A reference is used once; a number twice only where the record says so and why. */
async function judgeNames(acts, data) {
  const reasons = [];
  const earlier = await acts.byRef(data.ref);
  if (earlier) reasons.push(reason("ref-used", "ref", { value: data.ref, index: earlier.index, title: earlier.title }));
  if (data.number === null) return reasons;
  const named = data.relations.filter((one) => MAY_REPEAT_NUMBER.includes(one.type)).map((one) => one.ref);
  const same = await acts.byNumber(numberKey(data));
  if (same.length && !same.some((act) => named.includes(act.ref))) {
    const { ref, index, title } = same[0];
    reasons.push(reason("number-used", "number", { number: data.number, value: ref, index, title }));
  }
  return reasons;
}

/** Return what later acts did to `ref`, oldest first: {type, act, undone}. */
export async function changesTo(acts, ref) {
  const changes = [];
  for (const [type, act] of await acts.relatingTo(ref)) changes.push({ type, act, undone: await isUndone(acts, type, act.ref) });
  return changes;
}

/**
 * Whether what `ref` did by `type` no longer counts: annulled or replaced by an act that itself counts. A replacement that was
 * itself replaced has still replaced: only its annulment brings back what stood before it.
 */
async function isUndone(acts, type, ref) {
  const undoers = new Map();
  const waiting = [ref];
  while (waiting.length) {
    const one = waiting.pop();
    if (undoers.has(one)) continue;
    const found = (await acts.relatingTo(one)).filter(([how]) => UNDOING.includes(how));
    undoers.set(one, found);
    waiting.push(...found.map(([, act]) => act.ref));
  }
  const place = new Map([...undoers.values()].flat().map(([, act]) => [act.ref, act.index]));
  const annulled = new Map(), gone = new Map();
  const newestFirst = [...undoers.keys()].sort((one, other) => (place.get(other) ?? -1) - (place.get(one) ?? -1));
  for (const one of newestFirst) {
    annulled.set(one, undoers.get(one).some(([how, act]) => how === "annuls" && !gone.get(act.ref)));
    gone.set(one, annulled.get(one) || undoers.get(one).some(([how, act]) => how === "corrects" && !annulled.get(act.ref)));
  }
  return type === "corrects" ? annulled.get(ref) : gone.get(ref);
}
