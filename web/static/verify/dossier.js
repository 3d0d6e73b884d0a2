// One act before the verifier: the numbered plan by which its evidence becomes a verdict; as ledger/verifier/case.py.
//
//   1 the checkpoint is the trusted log's        RFC 6962, C2SP tlog-policy
//   2 the entry stands in it                     inclusion proof; only now are the entry's bytes parsed
//   3 the entry continues the chain, and was made for this founding
//   4 the document is one that the record names
//   5 the signatures hold, and their keys were entitled   the one replay, with the roster that the entry names
//   6 what is known today                        history, suspected keys, withdrawals, later acts
//
// Trusted are the policy and the founding. The evidence and the source of the view are trusted for nothing.

import { concat, fromHex, toHex } from "./bytes.js";
import { has } from "./canonical.js";
import { firstPrev, formatTime, parseEntry } from "./entry.js";
import { asLedgerError } from "./errors.js";
import { ROSTER_TYPE } from "./events.js";
import { factsOf } from "./facts.js";
import { addLater } from "./later.js";
import { endedAt, namesKeysOf, openByRoster } from "./logkeys.js";
import { checkInclusion, leafHash } from "./merkle.js";
import { claimedBy } from "./note.js";
import { checkEventPlace } from "./place.js";
import { openCheckpoint, organisations, originOf } from "./policy.js";
import { RECORD_TYPE, parseRecord } from "./record.js";
import { EMPTY_ROSTER, judgeRoster } from "./roster.js";
import { sha256Hex } from "./sha256.js";
import { SIGNATURE, addGroup, checkSigners, knownRosters, rosterOf } from "./signers.js";
import { check, checkOf, copyCheck } from "./verdict.js";

/**
 * Return what the reader trusts: a policy and a founding (or null), `pin` as kept in this browser, and other roster chains at
 * hand. `pinning` are checks that say since when policy and founding are pinned, or that they are not.
 */
export const trustIn = ({ policy, founding, pin = null, roster = [], served = [], pinning = [] }) =>
  ({ policy, founding, pin, roster, served, pinning });

/** What has been found so far. `given`: the proof did not come from the view, whose damage then is its own matter. */
class Dossier {
  constructor(trusted, proof, { view, document, before, given }) {
    Object.assign(this, { trusted, proof, view, document, given, checks: [...before], notices: [], facts: null, rosters: [] });
  }

  /** Note how one check ended. */
  add(name, state, code, values = {}) {
    this.checks.push(check(name, state, code, values));
  }

  /** Note the check that `error` ended. */
  failed(name, error) {
    this.checks.push(checkOf(name, error));
  }

  /** Note what `error` says about the online copy; a fork is never only the copy's matter. */
  trouble(name, error) {
    const found = checkOf(name, error);
    const told = this.given && this.view ? copyCheck(found, this.view.source.location) : found;
    if (!this.checks.some((one) => JSON.stringify(one) === JSON.stringify(told))) this.checks.push(told);
  }
}

/** Return the verdict about the act in `proof.extra`; `before` are checks already made. Raises nothing on bad evidence. */
export async function judgeAct(trusted, proof, { subject, view = null, document = null, before = [], given = false }) {
  const dossier = new Dossier(trusted, proof, { view, document, before, given });
  try {
    await run(dossier);
  } catch (error) {
    dossier.failed("signature", asLedgerError(error)); // what this browser turns out not to be able to check
  }
  if (document && !dossier.checks.some((one) => one.name === "document")) {
    dossier.add("document", "not_checked", "document-not-compared", { sha256: document.sha256 });
  }
  const { checks, facts, notices } = dossier;
  return { subject, checks, facts, notices, origin: trusted.policy.logs[0]?.name ?? "", founding: trusted.founding ?? "" };
}

async function run(dossier) {
  const opened = await checkCheckpoint(dossier); // 1
  if (!opened || !checkIncluded(dossier, opened)) return; // 2
  const entry = parsed(dossier);
  if (!entry) return;
  await checkChain(dossier, entry); // 3
  dossier.rosters = await knownRosters(dossier);
  if (endedAt(opened, dossier.rosters)) dossier.add("checkpoint", "failed", "log-keys-ended", { size: opened.checkpoint.size });
  if (entry.envelope.payloadType === ROSTER_TYPE) {
    await judgeRosterEntry(dossier, entry);
    return;
  }
  const record = checkRecordOf(dossier, entry);
  if (!record) return;
  checkDocument(dossier, record); // 4
  await checkSigners(dossier, entry, record); // 5
  addWitnesses(dossier, opened);
  await addLater(dossier, opened, entry, record); // 6
}

async function checkCheckpoint(dossier) {
  let opened;
  try {
    opened = await openCheckpoint(dossier.trusted.policy, dossier.proof.checkpoint);
  } catch (error) {
    if (asLedgerError(error).code === "wrong-key") return checkByRoster(dossier, error);
    // The log has signed it; that too few have cosigned is no evidence of a lie.
    if (error.code === "no-quorum") dossier.add("checkpoint", "not_checked", "too-few-witnesses", error.values);
    else dossier.failed("checkpoint", error);
    return null;
  }
  dossier.add("checkpoint", "passed", "checkpoint-holds", { origin: opened.checkpoint.origin, size: opened.checkpoint.size });
  return opened;
}

/** Other keys than the pinned ones signed: the log's at that size, by the roster; nobody's; or not to be known here. */
async function checkByRoster(dossier, wrongKey) {
  const { trusted, proof, view, given } = dossier;
  const aside = new Dossier(trusted, proof, { view, document: null, before: [], given });
  const rosters = await knownRosters(aside);
  try {
    const opened = await openByRoster(trusted.policy, proof.checkpoint, rosters);
    const { origin, size } = opened.checkpoint;
    dossier.add("checkpoint", "passed", "checkpoint-by-roster", { origin, size });
    return opened;
  } catch (error) {
    const isUnsigned = asLedgerError(error).code === "wrong-key";
    const { size } = claimedBy(proof.checkpoint);
    // Only a roster that surely holds every change of keys up to that size tells that nobody's key it is.
    const seen = Math.max(view?.size ?? -1, trusted.pin?.roster.length ? trusted.pin.checkpoint.size : -1);
    const isCovered = size <= seen && namesKeysOf(trusted.policy, rosters);
    if (isUnsigned && !isCovered) dossier.add("checkpoint", "not_checked", "log-keys-unknown", { size });
    else dossier.failed("checkpoint", isUnsigned ? wrongKey : error);
    dossier.checks.push(...aside.checks);
    return null;
  }
}

function checkIncluded(dossier, { checkpoint: { size, root } }) {
  const { index, hashes, extra } = dossier.proof;
  if (extra === null) {
    dossier.add("inclusion", "not_checked", "proof-without-entry");
    return false;
  }
  try {
    checkInclusion(hashes, { index, size, leaf: leafHash(extra), root });
  } catch (error) {
    dossier.failed("inclusion", asLedgerError(error));
    return false;
  }
  dossier.add("inclusion", "passed", "included", { index, size });
  return true;
}

function parsed(dossier) {
  try {
    return parseEntry(dossier.proof.extra);
  } catch (error) {
    dossier.failed("entry", asLedgerError(error));
    return null;
  }
}

/** An odd entry's audit path begins with the leaf before it; for the others the source's tiles are asked. */
async function checkChain(dossier, entry) {
  const { proof: { index, hashes }, view, trusted } = dossier;
  let before = null;
  if (index === 0) before = firstPrev(originOf(trusted.policy));
  else if (index % 2) before = toHex(hashes[0]);
  else if (view && index < view.size) {
    try {
      before = toHex(await view.leaf(index - 1));
    } catch (error) {
      dossier.trouble("chain", asLedgerError(error));
      return;
    }
  }
  if (before === null) dossier.add("chain", "not_checked", "chain-not-checked", { index });
  else if (before !== entry.prev) dossier.add("chain", "failed", "chain-broken", { index, before: index - 1 });
  else dossier.add("chain", "passed", "chain-holds", { index });
}

/** Accept a record that was made for the trusted founding. */
function checkRecordOf(dossier, entry) {
  const { payloadType, payload } = entry.envelope;
  if (payloadType !== RECORD_TYPE) {
    dossier.add("record", "not_checked", "newer-format", { detail: payloadType });
    return null;
  }
  let record;
  try {
    record = parseRecord(payload);
  } catch (error) {
    if (asLedgerError(error).kind === "admission") dossier.add("record", "failed", "not-authorised", { reasons: error.detail });
    else dossier.failed("record", error);
    return null;
  }
  checkFounding(dossier, record.data.founding);
  const [index, origin] = [dossier.proof.index, originOf(dossier.trusted.policy)];
  dossier.facts = factsOf(record, rosterOf(dossier, entry), { index, time: entry.time, origin });
  return record;
}

function checkFounding(dossier, founding) {
  const { trusted } = dossier;
  if (trusted.founding === null) dossier.add("founding", "not_checked", "founding-unknown", { founding });
  else if (trusted.founding !== founding) {
    const values = { founding: founding.slice(0, 16), expected: trusted.founding.slice(0, 16) };
    dossier.add("founding", "failed", "other-founding", values);
  } else dossier.add("founding", "passed", "founding-holds", { founding });
  dossier.checks.push(...trusted.pinning);
}

function checkDocument(dossier, record) {
  const { document } = dossier;
  if (!document) return;
  const found = record.documents.find((one) => one.sha256 === document.sha256);
  if (found) {
    const { sha256, name, role } = found;
    dossier.add("document", "passed", "document-identical", { sha256, name, role });
  } else if (!isCommitted(dossier, record)) {
    dossier.add("document", "failed", "document-differs", { sha256: document.sha256, ref: record.ref });
  }
}

/** Note that the record withholds this very document, if its salt opens one of the commitments; or that it may. */
function isCommitted(dossier, record) {
  const { document } = dossier;
  const commitments = document.salts.map((salt) => sha256Hex(concat(salt, fromHex(document.sha256))));
  const withheld = record.data.documents.filter((one) => has(one, "withheld"));
  const found = withheld.find((one) => commitments.includes(one.withheld));
  const isOpen = withheld.length > 0 && !commitments.length;
  if (found) {
    dossier.add("document", "passed", "document-committed", { commitment: found.withheld, reason: found.reason, law: found.law });
  } else if (isOpen) dossier.add("document", "not_checked", "document-perhaps-withheld", { ref: record.ref });
  return Boolean(found) || isOpen;
}

/** A roster event: it must be the next payload of the chain, and the authority's. */
async function judgeRosterEntry(dossier, entry) {
  const { document, proof: { index }, view } = dossier;
  if (document) dossier.add("document", "failed", "document-of-roster-event", { sha256: document.sha256, index });
  const founds = entry.envelope.id === dossier.trusted.founding;
  const before = founds ? EMPTY_ROSTER : rosterOf(dossier, entry);
  if (!before) {
    const roster = entry.roster.slice(0, 16);
    for (const name of ["founding", "signature", "authority"]) dossier.add(name, "not_checked", "signer-not-checked", { roster });
    return;
  }
  checkFounding(dossier, before.founding || entry.envelope.id);
  const reasons = await judgeRoster(before, entry.envelope, index);
  addGroup(dossier, "signature", reasons.filter((one) => SIGNATURE.includes(one.code)), "signatures-hold");
  addGroup(dossier, "authority", reasons.filter((one) => !SIGNATURE.includes(one.code)), "authority-holds");
  if (!view) return;
  try {
    await checkEventPlace(dossier, view, entry);
  } catch (error) {
    dossier.failed("authority", asLedgerError(error));
  }
}

/** Say which organisations co-record the list; the log's own post-quantum key is none, and no browser can check it. */
function addWitnesses(dossier, { cosigned }) {
  dossier.add("post-quantum", "not_checked", "post-quantum");
  const named = organisations(dossier.trusted.policy);
  const names = [...named.keys()];
  const seen = names.filter((name) => named.get(name).some((one) => cosigned.has(one)));
  const keys = seen.flatMap((name) => named.get(name)).filter((one) => cosigned.has(one));
  const times = keys.map((one) => cosigned.get(one)).filter((time) => time !== null);
  if (!names.length) dossier.add("witnesses", "not_checked", "no-witness-in-policy");
  else if (!seen.length) dossier.add("witnesses", "not_checked", "no-witness-signed", { names: names.join(", ") });
  else {
    dossier.add("witnesses", "passed", "witnessed", { names: seen.join(", ") });
    if (times.length) dossier.facts.witnessed = formatTime(Math.min(...times));
  }
}
