// The record: what is signed about one act, at most 32 KiB of canonical JSON; as ledger/records/record.py.

import { dumpCanonical, has, isObject, parseCanonical } from "./canonical.js";
import { admissionError, newerError, reason, showReason } from "./errors.js";
import { FIELDS, KINDS } from "./kinds.js";
import { isRef } from "./refs.js";
import { sha256Hex } from "./sha256.js";
import {
  anyObject, choice, date, digest, either, identifier, integer, language, listing, mapping, mediaType, nullable, pattern,
  personText,
} from "./shapes.js";

export const RECORD_TYPE = "application/vnd.bening.record+json";
const MAX_RECORD = 32 * 1024;
const ROLES = [
  "signed", "certified-copy", "extract", "annex", "boq", "minutes", "translation", "scan", "text", "source", "draft", "photo",
  "other",
];
const RELATIONS = ["amends", "corrects", "revokes", "annuls", "implements", "completes", "follows", "annex_of", "same_number_as"];
const NEEDS_REASON = ["corrects", "same_number_as"];

const LINE = personText(300), REASON = personText(1000), NAME_TEXT = personText(200), EXTRA_TEXT = personText(4000);
const PLAIN_NAME = pattern(/^(?!\.{1,2}$)[^/\\]{1,200}$/u, "bad-file-name");
const fileName = (value, path) => {
  const faults = PLAIN_NAME(value, path);
  return faults.length ? faults : NAME_TEXT(value, path);
};
const ref = (value, path) => (isRef(value) ? [] : [reason("bad-ref", path, { value: String(value).slice(0, 40) })]);
const extra = (value, path) => {
  if (!isObject(value)) return [reason("not-an-object", path)];
  const count = Object.keys(value).length;
  if (count > 32) return [reason("bad-count", path, { count, low: 0, high: 32 })];
  return Object.keys(value).flatMap((key) => EXTRA_TEXT(value[key], `${path}.${key}`));
};
const DOCUMENT = either(
  "withheld",
  mapping({ withheld: digest, media_type: mediaType, role: choice(...ROLES), reason: LINE, law: LINE }),
  mapping({ sha256: digest, size: integer(0, 2 ** 40), media_type: mediaType, name: fileName, role: choice(...ROLES) }),
);
const OUTSIDE = mapping({ number: personText(200) }, {
  kind: choice(...KINDS), year: integer(1900, 2199), title: REASON, sha256: digest,
  url: pattern(/^https?:\/\/[!-~]{1,500}$/, "bad-url"),
});
const RELATION = either(
  "outside",
  mapping({ type: choice(...RELATIONS), outside: OUTSIDE }, { reason: REASON }),
  mapping({ type: choice(...RELATIONS), ref }, { reason: REASON }),
);
const CAPACITY = choice("definitive", "plt", "plh", "pj", "an");
const SIGNATORY = mapping({ position: LINE, capacity: CAPACITY }, { name: LINE, basis: LINE });
const RECORD = mapping({
  v: integer(1, 1), founding: digest, kind: choice(...KINDS), form: identifier, ref, office: identifier,
  number: nullable(personText(200)), title: REASON, language, signed_on: date, signatories: listing(SIGNATORY, { most: 16 }),
  signers: listing(digest, { least: 1, most: 16 }), documents: listing(DOCUMENT), relations: listing(RELATION),
  fields: anyObject, extra,
}, {
  unnumbered_reason: LINE, series: identifier, serial: integer(), drafted_on: date, promulgated_on: date,
  effective_on: date, expires_on: date,
});

/** Return {payload, id, ref, data, documents}: `documents` are those whose bytes are published. */
export function parseRecord(payload) {
  const data = parseCanonical(payload, MAX_RECORD);
  const reasons = checkRecord(data);
  if (reasons.some((one) => one.unknown)) throw newerError(reasons.map(showReason).join("; "));
  if (reasons.length) throw admissionError(reasons);
  const documents = data.documents.filter((one) => has(one, "sha256"));
  return { payload, id: sha256Hex(payload), ref: data.ref, data, documents };
}

/** Return every fault of a record's content, of each key and across keys. */
export function checkRecord(data) {
  if (!isObject(data) || data.v !== 1) {
    const version = isObject(data) ? data.v : undefined;
    return [reason("bad-version", "v", { value: String(version ?? "None") }, Number.isInteger(version) && version > 1)];
  }
  const faults = RECORD(data, "");
  const inFields = FIELDS.has(data.kind) && isObject(data.fields) ? FIELDS.get(data.kind)(data.fields, "fields") : [];
  return [...faults, ...inFields, ...(faults.length ? [] : checkAcross(data))];
}

function checkAcross(data) {
  const reasons = [...checkNumber(data), ...checkDocuments(data), ...checkRelations(data)];
  const sorted = [...new Set(data.signers)].sort();
  const isSorted = sorted.length === data.signers.length && sorted.every((one, at) => one === data.signers[at]);
  if (!isSorted) reasons.push(reason("unsorted", "signers"));
  if (!data.signatories.length && !["void", "notice"].includes(data.kind)) reasons.push(reason("missing", "signatories"));
  return reasons;
}

function checkNumber(data) {
  return [
    ...((data.number === null) !== has(data, "unnumbered_reason") ? [reason("number-or-reason", "number")] : []),
    ...(has(data, "series") !== has(data, "serial") ? [reason("series-and-serial", "series")] : []),
  ];
}

function checkDocuments(data) {
  const codes = data.documents.map((one) => one.sha256 ?? one.withheld);
  const corrects = data.relations.some((one) => one.type === "corrects");
  return [
    ...(new Set(codes).size !== codes.length ? [reason("document-twice", "documents")] : []),
    ...(!codes.length && !corrects && data.kind !== "void" ? [reason("no-document", "documents")] : []),
  ];
}

function checkRelations(data) {
  const reasons = [], seen = new Set();
  data.relations.forEach((one, at) => {
    const path = `relations[${at}]`;
    if (NEEDS_REASON.includes(one.type) && !has(one, "reason")) reasons.push(reason("missing", `${path}.reason`));
    const target = `${one.type} ${one.ref ?? dumpCanonical(one.outside)}`;
    if (seen.has(target)) reasons.push(reason("relation-twice", path));
    seen.add(target);
    if (one.ref === data.ref) reasons.push(reason("relation-to-itself", path));
  });
  if (data.relations.filter((one) => one.type === "corrects").length > 1) reasons.push(reason("two-corrections", "relations"));
  const isAddendum = data.relations.some((one) => one.type === "amends");
  if (has(data.fields, "changes") && !isAddendum) reasons.push(reason("changes-without-amends", "fields.changes"));
  return reasons;
}
