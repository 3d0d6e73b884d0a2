// The acts of a published ledger, asked for one by one: look-ups give hints, each hinted entry is proven first; as
// ledger/verifier/acts.py. What a bucket leaves out is not found here: that nothing was left out is what an audit proves.

import { utf8 } from "./bytes.js";
import { parseEntry } from "./entry.js";
import { asLedgerError } from "./errors.js";
import { numberHash } from "./numbers.js";
import { RECORD_TYPE, parseRecord } from "./record.js";
import { actOf } from "./replay.js";
import { sha256Hex } from "./sha256.js";
import { lookUp } from "./source.js";

/** Return the proven {entry, record} at `index`; null if it is no record, or one of a later version. */
export async function recordAt(view, index) {
  const data = await view.entry(index);
  try {
    const entry = parseEntry(data);
    return entry.envelope.payloadType === RECORD_TYPE ? { entry, record: parseRecord(entry.envelope.payload) } : null;
  } catch (error) {
    if (["format", "newer", "admission"].includes(asLedgerError(error).kind)) return null;
    throw error;
  }
}

/** Return the hinted indexes, inside this view, of the act of `ref` and of those that name it. */
export const indexesOfRef = async (view, ref) => inside(view, await lookUp(view.source, "ref", ref.slice(0, 2), ref));

/** Return the hinted indexes, inside this view, of the acts that carry `number` in any spelling. */
export const indexesOfNumber = (view, number) => indexesOfHash(view, "number", numberHash(number));

/** Return the hinted indexes, inside this view, of the acts that name the document of that hash. */
export const indexesOfDocument = (view, sha256) => indexesOfHash(view, "sha256", sha256);

const indexesOfHash = async (view, kind, hash) => inside(view, await lookUp(view.source, kind, hash.slice(0, 3), hash));

const inside = (view, hints) => hints.filter((index) => index < view.size);

/** The acts before entry `before` (all of the view's if not given); keeps what it has read. */
export class LookedUpActs {
  constructor(view, before = view.size) {
    this.view = view;
    this.before = before;
    this.known = new Map();
  }

  /** Return the act that carries `ref`. */
  async byRef(ref) {
    return (await this._acts(await indexesOfRef(this.view, ref))).find((act) => act.ref === ref);
  }

  /** Return the acts under one number key, oldest first. */
  async byNumber({ folded, whole }) {
    const acts = await this._acts(await indexesOfHash(this.view, "number", sha256Hex(utf8(folded))));
    return acts.filter((act) => act.numberKey?.whole === whole);
  }

  /** Return [relation type, act] of each act that names `ref`, oldest first. */
  async relatingTo(ref) {
    const acts = await this._acts(await indexesOfRef(this.view, ref));
    return acts.flatMap((act) => act.relations.filter(([, target]) => target === ref).map(([type]) => [type, act]));
  }

  async _acts(hints) {
    const acts = [];
    for (const index of hints.filter((one) => one < this.before)) {
      const act = await this._act(index);
      if (act) acts.push(act);
    }
    return acts;
  }

  async _act(index) {
    if (!this.known.has(index)) {
      const found = await recordAt(this.view, index);
      this.known.set(index, found && actOf(found.record, index, found.entry.time));
    }
    return this.known.get(index);
  }
}

/** No earlier act can be asked for: whoever is offline. */
export const NO_ACTS = { byRef: async () => undefined, byNumber: async () => [], relatingTo: async () => [] };
