// What became of an act: the ledger's own history, keys suspected since, withdrawals, and later acts that name it; as
// ledger/verifier/later.py. Only what was proven is shown; that a look-up left nothing out is said not to be checked.

import { LookedUpActs, recordAt } from "./acts.js";
import { parseEntry } from "./entry.js";
import { asLedgerError, proofError } from "./errors.js";
import { toHex } from "./bytes.js";
import { checkPlace } from "./place.js";
import { changesTo, judgeRecord } from "./replay.js";
import { suspectsOf } from "./roster.js";
import { check } from "./verdict.js";

/** Add what is known today about `record`. */
export async function addLater(dossier, opened, entry, record) {
  await addHistory(dossier, opened.checkpoint);
  if (dossier.rosters.length) {
    addSuspicion(dossier, record);
    addWithdrawals(dossier, record);
  }
  const { view } = dossier;
  if (!view) {
    dossier.add("later", "not_checked", "later-offline", { size: opened.checkpoint.size, time: entry.time });
    return;
  }
  try {
    if (dossier.rosters.length) await checkPlace(dossier, view, entry);
    await addChanges(dossier, view, record);
  } catch (error) {
    dossier.trouble("later", asLedgerError(error));
    if (dossier.given) dossier.add("later", "not_checked", "later-unread");
  }
}

/** The proof's checkpoint, the source's and the newest one seen must be one history. */
async function addHistory(dossier, checkpoint) {
  const { view, trusted: { pin } } = dossier;
  try {
    if (view) {
      await view.checkGrowth(checkpoint);
      if (!dossier.checks.some((one) => one.name === "history")) dossier.add("history", "passed", "grew", { size: view.size });
    } else if (pin?.checkpoint) compareOffline(dossier, checkpoint, pin.checkpoint);
  } catch (error) {
    dossier.trouble("history", asLedgerError(error));
  }
}

/** Without tiles only two checkpoints of one size can be compared. */
function compareOffline(dossier, checkpoint, seen) {
  if (checkpoint.size !== seen.size) return;
  const [oldRoot, root] = [toHex(seen.root), toHex(checkpoint.root)];
  if (oldRoot !== root) {
    const values = { old_size: seen.size, size: checkpoint.size, old_root: oldRoot.slice(0, 16), root: root.slice(0, 16) };
    throw proofError("two roots of one size", "ledger-forked", values);
  }
  dossier.add("history", "passed", "grew", { size: seen.size });
}

function addSuspicion(dossier, record) {
  const newest = dossier.rosters.at(-1);
  if (newest.reaffirmed.has(record.id)) return;
  for (const keyid of suspectsOf(newest, record.data.signers, dossier.proof.index)) {
    const { holder, suspectFrom } = newest.enrolments.get(keyid);
    dossier.add("key-trust", "disputed", "key-suspect", { keyid: keyid.slice(0, 16), holder, suspect_from: suspectFrom });
  }
}

function addWithdrawals(dossier, record) {
  for (const { sha256, name } of record.documents) {
    const event = dossier.rosters.at(-1).withdrawn.get(sha256);
    const values = event && { name, law: event.law, reason: event.reason };
    if (event) dossier.notices.push(check("withdrawal", "passed", "document-withdrawn", values));
  }
}

async function addChanges(dossier, view, record) {
  const acts = new AuthorisedActs(dossier, view);
  const changes = (await changesTo(acts, record.ref)).filter((one) => one.act.index > dossier.proof.index);
  for (const { type, act, undone } of changes) {
    const { index, ref, number, title, signed_on } = act;
    const values = { index, ref, number: number ?? "-", title, date: signed_on, type };
    dossier.notices.push(check("change", "passed", undone ? "change-undone" : `change-${type.replaceAll("_", "-")}`, values));
  }
  const last = parseEntry(await view.entry(view.size - 1));
  const code = changes.length ? "later-changes" : "no-later-change";
  dossier.add("later", "not_checked", code, { index: view.size - 1, time: last.time, count: changes.length });
}

/** Later acts, but only those that admission would have taken: whoever may not annul undoes nothing. */
class AuthorisedActs extends LookedUpActs {
  constructor(dossier, view) {
    super(view);
    this.dossier = dossier;
    this.judged = new Map();
  }

  /** Return the authorised acts that name `ref`. */
  async relatingTo(ref) {
    const found = [];
    for (const [type, act] of await super.relatingTo(ref)) if (await this._isAuthorised(act)) found.push([type, act]);
    return found;
  }

  async _isAuthorised(act) {
    if (!this.judged.has(act.index)) this.judged.set(act.index, await isAuthorised(this.dossier, this.view, act));
    return this.judged.get(act.index);
  }
}

/** A later act counts here only as it would at admission. */
async function isAuthorised(dossier, view, act) {
  const found = await recordAt(view, act.index);
  const roster = found && dossier.rosters.find((one) => one.hash === found.entry.roster);
  if (!roster) return false;
  return !(await judgeRecord(roster, new LookedUpActs(view, act.index), found.entry.envelope, found.entry.time)).length;
}
