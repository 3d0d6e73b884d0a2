// An authenticated view of one published ledger: everything it returns has been held against one signed checkpoint; as
// ledger/verifier/reader.py. Trusted are the pinned policy and founding.
//
// A file that the checkpoint promises and the source does not have is evidence of a cut ledger (code "truncated"). One that
// could not be read for another reason is nobody's evidence and stays a "fetch" error.

import { toHex } from "./bytes.js";
import { asLedgerError, attemptSync, proofError } from "./errors.js";
import { checkConsistency, leafHash, proveConsistency, proveInclusion } from "./merkle.js";
import { openCheckpoint } from "./policy.js";
import { fetchCheckpoint, fetchEntries, fetchRoster, fetchTile } from "./source.js";
import { ENTRIES, TILE_WIDTH, TileReader, parseBundle, splitHashes, tilePath } from "./tiles.js";

const BUNDLES_KEPT = 16;

/** Return the view of the newest checkpoint of `source`, if `policy` accepts it. */
export async function openView(source, policy, founding) {
  const note = await fetchCheckpoint(source);
  return new View(source, founding, note, await openCheckpoint(policy, note));
}

/** One snapshot: `opened` is its checked checkpoint, `note` the checkpoint's exact bytes. */
class View {
  constructor(source, founding, note, opened) {
    Object.assign(this, { source, founding, note, opened, checkpoint: opened.checkpoint, size: opened.checkpoint.size });
    this.tiles = new TileReader(this.size, this.checkpoint.root, (tile) => this._judged(fetchTile(source, tile), tile));
    this.bundles = new Map();
  }

  /** Return the proven bytes of entry `index`. */
  async entry(index) {
    this._checkIndex(index);
    const number = Math.floor(index / TILE_WIDTH);
    if (!this.bundles.has(number)) {
      if (this.bundles.size >= BUNDLES_KEPT) this.bundles.delete(this.bundles.keys().next().value);
      this.bundles.set(number, await this._bundle(number));
    }
    return this.bundles.get(number)[index % TILE_WIDTH];
  }

  /** Return the leaf hash of entry `index`, from the tiles. */
  async leaf(index) {
    this._checkIndex(index);
    return (await this._leaves(Math.floor(index / TILE_WIDTH)))[index % TILE_WIDTH];
  }

  /** Return the proof of entry `index`, which carries the entry's bytes. */
  async proof(index) {
    const extra = await this.entry(index);
    return { index, hashes: await proveInclusion(index, this.size, this.tiles.read), checkpoint: this.note, extra };
  }

  /** Return the envelopes of roster.jsonl, unjudged; read once. */
  envelopes() {
    this.roster ??= fetchRoster(this.source);
    return this.roster;
  }

  /** Accept that this view continues `old`, a checkpoint of the same log; a shorter one or another history is refused. */
  async checkGrowth(old) {
    const [oldRoot, root] = [old.root, this.checkpoint.root];
    const values = { old_size: old.size, old_root: toHex(oldRoot).slice(0, 16), size: this.size, root: toHex(root).slice(0, 16) };
    if (old.size > this.size) throw proofError(`size ${this.size} after ${old.size} was seen`, "ledger-rolled-back", values);
    const proof = await proveConsistency(old.size, this.size, this.tiles.read);
    try {
      checkConsistency(proof, { oldSize: old.size, newSize: this.size, oldRoot, newRoot: root });
    } catch (error) {
      throw proofError(asLedgerError(error).detail, "ledger-forked", values);
    }
  }

  _checkIndex(index) {
    const { size } = this;
    if (!(index >= 0 && index < size)) throw proofError(`entry ${index} of ${size}`, "no-such-entry", { index, size });
  }

  async _leaves(number) {
    return splitHashes(await this.tiles.tile(0, number));
  }

  async _bundle(number) {
    const start = number * TILE_WIDTH;
    const tile = { level: ENTRIES, index: number, width: Math.min(TILE_WIDTH, this.size - start) };
    const entries = entriesOf(await this._judged(fetchEntries(this.source, tile), tile), tile);
    return held(entries, await this._leaves(number), start);
  }

  /** What the signed checkpoint promises and the source simply does not have is a cut ledger. */
  async _judged(reading, tile) {
    try {
      return await reading;
    } catch (error) {
      if (asLedgerError(error).code !== "fetch-missing") throw error;
      throw proofError(`${tilePath(tile)} is missing`, "truncated", { path: tilePath(tile), size: this.size });
    }
  }
}

/** Return the first `width` entries of a bundle, which may be the full one. */
function entriesOf(data, tile) {
  for (const count of [tile.width, TILE_WIDTH]) {
    const found = attemptSync(() => parseBundle(data, count));
    if (found) return found.slice(0, tile.width);
  }
  throw proofError(`${tilePath(tile)} is no bundle of ${tile.width} entries`, "truncated", { path: tilePath(tile) });
}

/** Return `entries`, whose leaf hashes must be those of the tiles, in their order. */
function held(entries, leaves, start) {
  const [found, promised] = [entries.map((one) => toHex(leafHash(one))), leaves.map(toHex)];
  const at = found.findIndex((hash, position) => hash !== promised[position]);
  if (at < 0) return entries;
  const isReordered = String([...found].sort()) === String([...promised].sort());
  const code = isReordered ? "entries-reordered" : "entry-differs";
  throw proofError(`entry ${start + at} is not the logged one`, code, { index: start + at });
}
