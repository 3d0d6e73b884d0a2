// What this browser has pinned: the policy and founding of its first visit, and the newest state seen; as
// ledger/verifier/pins.py.
//
//   localStorage["bening.ledger.1"] = {"policy": base64, "founding": hex, "note": base64 of the newest checkpoint seen,
//     "payloads": [ids of the roster payloads seen], "roster": their envelopes as lines ("" where they are too many to keep),
//     "since": time, "confirmed": whether a person compared the founding,
//     "evidence": [checkpoints that contradict what was seen]}
//
// Damage here is this browser's trouble ("pin-damaged") and says nothing about the ledger.

import { formatBase64, isHex, parseBase64, utf8 } from "./bytes.js";
import { dumpEnvelope } from "./envelope.js";
import { asLedgerError, attempt, storeError } from "./errors.js";
import { claimedBy, parseCheckpoint, parseNote } from "./note.js";
import { parsePolicy, signersOf } from "./policy.js";
import { replay } from "./signers.js";
import { rosterLines } from "./source.js";

const PLACE = "bening.ledger.1";
const MOST_EVIDENCE = 8;
const MOST_ROSTER = 2_000_000; // characters; browsers keep about five million for one site

/** The pin in `storage` (localStorage, or null where the browser keeps nothing). */
export class Pins {
  constructor(storage) {
    this.storage = storage;
  }

  /** Return the pin, null where there is none; a damaged one is a "store" error. */
  async load() {
    const text = this._read();
    if (text === null) return null;
    try {
      return await parsePin(JSON.parse(text));
    } catch (error) {
      throw storeError(`${PLACE}: ${error.message}`, "pin-damaged", { problem: error.message });
    }
  }

  /** Pin a policy file and founding, with the state in which they were seen; return the pin. */
  async add(policyFile, founding, view, { since = new Date().toISOString(), confirmed = false } = {}) {
    const nothing = { note: null, checkpoint: null, payloads: [], roster: [], evidence: [] };
    const pin = { policyFile, policy: parsePolicy(policyFile), founding, since, confirmed, ...nothing };
    await this._remember(pin, view);
    return pin;
  }

  /** Accept that `view` continues the newest checkpoint seen, and remember it; keep both where it does not. */
  async follow(pin, view) {
    try {
      if (pin.checkpoint) await view.checkGrowth(pin.checkpoint);
    } catch (error) {
      if (["ledger-rolled-back", "ledger-forked"].includes(asLedgerError(error).code)) this._keepEvidence(pin, view.note);
      throw error;
    }
    await this._remember(pin, view);
  }

  /** Note that a person has compared the founding with a printed one. */
  confirm(pin) {
    pin.confirmed = true;
    this._write(pin);
  }

  /** Forget everything. */
  forget() {
    try {
      this.storage?.removeItem(PLACE);
    } catch {
      // a browser that keeps nothing has nothing to forget
    }
  }

  async _remember(pin, view) {
    const chain = await attempt(() => view.envelopes());
    if (chain && (await attempt(() => replay(chain, pin.founding)))) {
      const ids = chain.map((one) => one.id);
      const isLonger = pin.payloads.length < ids.length && pin.payloads.every((id, at) => id === ids[at]);
      if (isLonger) Object.assign(pin, { payloads: ids, roster: chain });
    }
    Object.assign(pin, { note: view.note, checkpoint: view.checkpoint });
    this._write(pin);
  }

  _keepEvidence(pin, note) {
    const text = formatBase64(note);
    if (!pin.evidence.includes(text)) pin.evidence = [...pin.evidence, text].slice(-MOST_EVIDENCE);
    this._write(pin);
  }

  _read() {
    try {
      return this.storage?.getItem(PLACE) ?? null;
    } catch {
      return null;
    }
  }

  _write(pin) {
    const { policyFile, founding, note, payloads, since, confirmed, evidence } = pin;
    const texts = { policy: formatBase64(policyFile), note: formatBase64(note), roster: linesOf(pin.roster) };
    const kept = { ...texts, founding, payloads, since, confirmed, evidence };
    try {
      this.storage.setItem(PLACE, JSON.stringify(this._withOthers(kept)));
      pin.isKept = true;
    } catch {
      pin.isKept = false; // full, or forbidden: said on the page, and the next visit is a first one
    }
  }

  /** Return `kept` with what another tab has kept of the same pin meanwhile: a larger state, evidence, a comparison. */
  _withOthers(kept) {
    const other = attemptToRead(this._read());
    if (!other || other.founding !== kept.founding || other.policy !== kept.policy) return kept;
    const { note, payloads, roster } = other;
    const newest = sizeOf(note) > sizeOf(kept.note) ? { note, payloads, roster } : {};
    const evidence = [...new Set([...other.evidence, ...kept.evidence])].slice(-MOST_EVIDENCE);
    return { ...kept, ...newest, evidence, confirmed: kept.confirmed || other.confirmed === true };
  }
}

const sizeOf = (note) => claimedBy(parseBase64(note)).size;

/** Return a kept pin unjudged, null where none can be read; what is damaged is never taken over. */
function attemptToRead(text) {
  try {
    const found = JSON.parse(text);
    sizeOf(found.note);
    return Array.isArray(found.evidence) && Array.isArray(found.payloads) ? found : null;
  } catch {
    return null;
  }
}

/** The chain as roster.jsonl has it; "" where it is too long to keep. */
function linesOf(roster) {
  const lines = roster.map((one) => `${new TextDecoder().decode(dumpEnvelope(one))}\n`).join("");
  return lines.length > MOST_ROSTER ? "" : lines;
}

/** Read a pin back. The signatures on checkpoint and roster must hold: a flipped bit here must not accuse the log. */
async function parsePin(kept) {
  const [policyFile, note] = [parseBase64(kept.policy), parseBase64(kept.note)];
  const policy = parsePolicy(policyFile);
  const parsed = parseNote(note);
  const { founding, payloads, since, evidence } = kept;
  const areLists = [payloads, evidence].every(Array.isArray) && payloads.every((id) => isHex(id));
  const isWhole = areLists && isHex(founding) && !Number.isNaN(Date.parse(since));
  const [checkpoint, roster] = [parseCheckpoint(parsed.text), rosterLines(utf8(kept.roster))];
  const isSame = roster.length === 0 || String(roster.map((one) => one.id)) === String(payloads);
  if (!isWhole || !isSame || !(await signersOf(parsed, policy.logs)).size) throw new Error("not as it was written");
  if (roster.length) await replay(roster, founding);
  const confirmed = kept.confirmed === true;
  return { policyFile, policy, founding, note, checkpoint, payloads, roster, since, evidence, confirmed, isKept: true };
}
