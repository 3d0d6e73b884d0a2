// The typed fields of each kind of paper, as ledger/records/kinds.py has them.

import { choice, currency, date, digest, either, identifier, integer, listing, mapping, money, personText } from "./shapes.js";

const LINE = personText(300), LONG = personText(4000), LINES = listing(LINE, { least: 1 }), YEAR = integer(1900, 2199);
const DAYS = integer(0, 36500), CODES = listing(personText(40), { least: 1 });
const PARTY = either("unknown", mapping({ unknown: LINE }), mapping({ name: LINE }, { form: LINE, id: personText(40) }));
const BASIS = { subjects: LINES, legal_basis: LINES, proposer: LINE };
const SPAN = { start_on: date, end_on: date };

export const FIELDS = new Map([
  ["regulation", mapping({ subjects: LINES }, {
    promulgated_on: date, gazette: mapping({ name: LINE, year: YEAR, number: LINE }), abstract: LONG,
    legal_basis: LINES, proposer: LINE,
  })],
  ["decision", mapping({}, BASIS)],
  ["instruction", mapping({}, BASIS)],
  ["circular", mapping({}, BASIS)],
  ["personnel", mapping({ action: choice("appoint", "transfer", "dismiss", "retire", "incentive", "other") }, {
    positions: listing(mapping({}, { from: LINE, to: LINE, unit: LINE }), { least: 1 }),
    people_count: integer(), names: listing(LINE, { least: 1, most: 200 }), effective_on: date,
  })],
  ["permit", mapping({ permit_type: LINE }, {
    applicant: either("withheld", mapping({ withheld: LINE }), PARTY), location: LINE, requested_on: date, issued_on: date,
    service_standard_days: DAYS, business_id: personText(40), conditions: LONG, fee: money, currency,
  })],
  ["contract", mapping({ value: money, currency, supplier: PARTY }, {
    method: LINE, category: LINE, plan_codes: CODES, procurement_code: personText(40), ceiling: money, owner_estimate: money,
    award_number: LINE, ...SPAN, pricing: LINE, funding: LINES, budget_year: YEAR, registered_bidders: integer(),
    priced_bids: integer(), appointment_reason: LONG, place: LINE,
    changes: listing(mapping({ field: personText(64), was: LINE, becomes: LINE }), { least: 1 }), sequence: integer(1, 1000),
    reason: LONG,
  })],
  ["award", mapping({ supplier: PARTY, value: money, currency }, { procurement_code: personText(40), plan_codes: CODES })],
  ["order", mapping({ starts_on: date }, { duration_days: DAYS, ends_on: date })],
  ["handover", mapping({ stage: choice("partial", "provisional", "final") }, {
    percent: integer(0, 100), accepted_value: money, currency, delay_days: DAYS, penalty: money,
  })],
  ["minutes", mapping({ parties: LINES }, { subject: LINE, ...SPAN })],
  ["agreement", mapping({ parties: LINES }, { subject: LINE, ...SPAN })],
  ["notice", mapping({}, { subject: LINE, agenda_number: LINE, draft_sha256: digest })],
  ["void", mapping({
    series: identifier, serials: listing(integer(), { least: 1, most: 1000 }),
    reason: choice("unused", "cancelled", "reserved", "secret"),
  }, { law: LINE })],
  ["other", mapping({}, { subject: LINE })],
]);

export const KINDS = [...FIELDS.keys()];
