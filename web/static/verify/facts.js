// The facts of an act as its record states them, with the names that the roster gives; as ledger/verifier/facts.py.
// Every line is a claim of the office that published it.

import { has, isObject } from "./canonical.js";
import { localDate } from "./entry.js";
import { EMPTY_ROSTER } from "./roster.js";
import { toDays } from "./shapes.js";

const DATES = ["drafted_on", "signed_on", "promulgated_on", "effective_on", "expires_on"];
const CAPACITIES = { plt: "Plt.", plh: "Plh.", pj: "Pj.", an: "a.n." };

/** Return what `record`, at entry `index` of `time`, says; without a `roster` (null) ids stand for names. */
export function factsOf(record, roster, { index, time, origin }) {
  const { data } = record, known = roster ?? EMPTY_ROSTER;
  const here = localDate(time, known.utcOffset);
  return {
    index, time, local_date: here, utc_offset: known.utcOffset, ref: record.ref, id: record.id, kind: data.kind,
    form: nameIn(known.forms, data.form), number: data.number, title: data.title, office: nameIn(known.offices, data.office),
    city: known.name || origin, money: moneyOf(data.fields), supplier: partyOf(data.fields),
    dates: DATES.filter((name) => has(data, name)).map((name) => [name, data[name]]),
    lag_days: toDays(here) - toDays(data.signed_on),
    signed_on_paper: data.signatories.map(signatory), published_by: data.signers.map((keyid) => signer(known, keyid)),
    documents: record.documents, withheld: data.documents.filter((one) => has(one, "withheld")), witnessed: null,
  };
}

const nameIn = (table, id) => table.get(id)?.name ?? id;

const moneyOf = (fields) => (has(fields, "value") && has(fields, "currency") ? `${fields.currency} ${fields.value}` : null);

function partyOf({ supplier }) {
  if (!isObject(supplier)) return null;
  return has(supplier, "name") ? supplier.name : `? (${supplier.unknown})`;
}

function signatory({ capacity, position, name }) {
  const whole = [CAPACITIES[capacity], position].filter(Boolean).join(" ");
  return [whole, name].filter(Boolean).join(", ");
}

function signer(roster, keyid) {
  const one = roster.enrolments.get(keyid);
  return one ? [...new Set([one.holder, one.position])].join(", ") : keyid.slice(0, 16);
}
