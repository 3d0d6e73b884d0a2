// Who signed a record and whether they were entitled, by the roster that the entry names; as ledger/verifier/signers.py.

import { LookedUpActs, NO_ACTS } from "./acts.js";
import { has } from "./canonical.js";
import { asLedgerError, showReason, verificationError } from "./errors.js";
import { judgeRecord } from "./replay.js";
import { replayRoster } from "./roster.js";

export const SIGNATURE = ["bad-signature", "signatures-are-not-the-signers"];
const RELATIONS = ["unknown-target", "not-competent"];
const NAMES = ["ref-used", "number-used"];
const VERIFICATION = ["verification", "signature", "proof", "policy"];
const replayed = new WeakMap();

/** Judge the record by the roster that its entry names. */
export async function checkSigners(dossier, entry, record) {
  const roster = rosterOf(dossier, entry);
  if (!roster) {
    const values = { roster: entry.roster.slice(0, 16) };
    for (const name of ["signature", "authority"]) dossier.add(name, "not_checked", "signer-not-checked", values);
    return;
  }
  const { view, proof } = dossier;
  const isBehind = !view || view.size < proof.index; // what it does not hold yet, it cannot deny
  let { reasons, isOnline } = await judgeWith(dossier, roster, entry, isBehind ? NO_ACTS : new LookedUpActs(view, proof.index));
  let isRelated = record.data.relations.some((one) => has(one, "ref"));
  if (dossier.given && isOnline && reasons.some((one) => one.code === "unknown-target")) {
    // A look-up is a hint: that it names nothing is no evidence.
    reasons = reasons.filter((one) => one.code !== "unknown-target");
    dossier.add("relations", "not_checked", "relations-not-found");
    isRelated = false;
  }
  addReasons(dossier, reasons, isOnline, isRelated);
}

/** Return the reasons; where the acts before cannot be read, those that do not need them. */
async function judgeWith(dossier, roster, entry, acts) {
  try {
    return { reasons: await judgeRecord(roster, acts, entry.envelope, entry.time), isOnline: acts !== NO_ACTS };
  } catch (error) {
    if (acts === NO_ACTS) throw error;
    if (VERIFICATION.includes(asLedgerError(error).kind)) dossier.trouble("relations", error);
    return judgeWith(dossier, roster, entry, NO_ACTS);
  }
}

/** Return the longest chain at hand, replayed from the founding; shorter ones must be its beginning. */
export async function knownRosters(dossier) {
  const { founding, pin } = dossier.trusted;
  if (founding === null) return [];
  const found = [];
  const chains = (await chainsOf(dossier)).sort((one, other) => other.chain.length - one.chain.length);
  for (const { chain, isServed } of chains) {
    const ids = chain.map((one) => one.id);
    if (found.some((known) => isBeginning(ids, known.ids))) continue;
    try {
      found.push({ ids, rosters: await replay(chain, founding) });
    } catch (error) {
      refuseChain(dossier, asLedgerError(error), isServed);
    }
  }
  // What this browser has seen replayed before is the authority's as well, though only its codes were kept.
  const seen = pin?.payloads ?? [];
  const isForked = found.length > 0 && !isBeginning(seen, found[0].ids) && !isBeginning(found[0].ids, seen);
  if (found.length > 1 || isForked) dossier.add("roster", "failed", "roster-forked");
  return found[0]?.rosters ?? [];
}

const isBeginning = (short, long) => short.length <= long.length && short.every((id, at) => id === long[at]);

/** Replay a chain, once for each array of envelopes. */
export function replay(chain, founding) {
  if (replayed.get(chain)?.founding !== founding) replayed.set(chain, { founding, rosters: replayRoster(chain, founding) });
  return replayed.get(chain).rosters;
}

async function chainsOf(dossier) {
  const { trusted, view } = dossier;
  const chains = [{ chain: trusted.roster, isServed: false }, { chain: trusted.served, isServed: true }];
  if (trusted.pin) chains.push({ chain: trusted.pin.roster, isServed: false });
  if (view) {
    try {
      chains.push({ chain: await view.envelopes(), isServed: true });
    } catch (error) {
      const isUnsigned = asLedgerError(error).kind === "format"; // a log-in page, a cut copy
      if (isUnsigned) dossier.add("roster-file", "not_checked", "roster-file-unreadable", { location: view.source.location });
      else dossier.trouble("roster-file", error);
    }
  }
  return chains.filter((one) => one.chain.length);
}

/** A chain that cannot be replayed is a damaged file; only one that the authority signed could be another story. */
function refuseChain(dossier, error, isServed) {
  const isDamaged = error.code === "roster-chain" || (isServed && error.code === "other-founding");
  const told = isDamaged ? verificationError(error.detail, "roster-file") : error;
  if (isServed) dossier.trouble("roster", told);
  else dossier.failed("roster", told);
}

/** Return the roster that `entry` says it was judged by, if it is at hand. */
export const rosterOf = (dossier, entry) => dossier.rosters.find((one) => one.hash === entry.roster) ?? null;

/** Note `held` if nothing speaks against one check, otherwise each reason. */
export function addGroup(dossier, name, reasons, held) {
  if (!reasons.length) dossier.add(name, "passed", held);
  for (const one of reasons) {
    const [state, code] = one.unknown ? ["not_checked", "newer-format"] : ["failed", one.code];
    dossier.add(name, state, code, { detail: showReason(one), path: one.path, ...one.values });
  }
}

function addReasons(dossier, reasons, isOnline, isRelated) {
  const groups = { signature: [], authority: [], relations: [], names: [] };
  for (const one of reasons) groups[groupOf(one)].push(one);
  if (groups.signature.length) groups.authority = groups.authority.filter((one) => one.code !== "no-signer-for-office-and-kind");
  addGroup(dossier, "signature", groups.signature, "signatures-hold");
  addGroup(dossier, "authority", groups.authority, "authority-holds");
  if (isRelated && !isOnline) dossier.add("relations", "not_checked", "relations-not-checked");
  if (isRelated && isOnline) addGroup(dossier, "relations", groups.relations, "relations-hold");
  if (isOnline && groups.names.length) addGroup(dossier, "names", groups.names, "names-hold");
}

function groupOf({ code }) {
  if (SIGNATURE.includes(code)) return "signature";
  return RELATIONS.includes(code) ? "relations" : NAMES.includes(code) ? "names" : "authority";
}
