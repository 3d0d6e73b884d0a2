// Where a published ledger is read from: files below one address, trusted for nothing; as ledger/verifier/client.py.
//
//   checkpoint  policy-ed25519  roster.jsonl  tile/0/000  tile/entries/000.p/7  lookup/ref/<RR>
//
// No request names the document: look-ups fetch whole buckets, entries come in bundles of 256. Redirects are not followed,
// sizes and times are limited. That something could not be read is nobody's evidence: a "fetch" error.

import { concat, fromAscii, parseDecimal, splitLines, utf8 } from "./bytes.js";
import { MAX_ENVELOPE, loadEnvelope } from "./envelope.js";
import { asLedgerError, fetchError, formatError, proofError } from "./errors.js";
import { HASH_SIZE } from "./merkle.js";
import { TILE_WIDTH, tilePath } from "./tiles.js";

const MEGABYTE = 1024 * 1024;
const MAX_CHECKPOINT = 128 * 1024, MAX_ROSTER_FILE = 128 * MEGABYTE, MAX_BUCKET = 32 * MEGABYTE, MAX_BUNDLE = TILE_WIDTH * 65_537;
export const MAX_POLICY = 128 * 1024;
const WITHIN = 60_000; // milliseconds for one file

/** Files below the URL `location`. */
export class Source {
  constructor(location) {
    this.location = location.replace(/\/+$/, "");
  }

  /** Return the bytes of the file at `path`, at most `limit`; `isFresh` asks the server again where a copy is kept here. */
  async fetch(path, limit, isFresh = false) {
    const where = `${this.location}/${path}`;
    try {
      const response = await fetch(where, {
        cache: isFresh ? "no-store" : "default", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(WITHIN),
      });
      this._checkStatus(response, path);
      return await readLimited(response, limit, this.location, path);
    } catch (error) {
      if (error instanceof TypeError || error instanceof DOMException) throw failed(where, `${error.name}: ${error.message}`);
      throw error;
    }
  }

  _checkStatus(response, path) {
    const where = this.location;
    if ([404, 410].includes(response.status)) throw fetchError(`${where}/${path}: not there`, "fetch-missing", { where, path });
    if (response.status !== 200) throw failed(`${where}/${path}`, `HTTP ${response.status}`);
    // No file of a ledger is a web page: this is a log-in page of the network, or an error page that calls itself 200.
    const isPage = /^text\/html/i.test(response.headers.get("content-type") ?? "");
    if (isPage) throw fetchError(`${where}/${path}: a web page`, "portal", { where, path });
  }
}

async function readLimited(response, limit, where, path) {
  const reader = response.body.getReader();
  const parts = [];
  let total = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    total += part.value.length;
    parts.push(part.value);
    if (total > limit) {
      await reader.cancel();
      throw fetchError(`${where}/${path}: more than ${limit} bytes`, "fetch-too-large", { where, path, limit });
    }
  }
  return concat(...parts);
}

const failed = (where, problem) => fetchError(`${where}: ${problem}`, "fetch", { where, problem });

/** Return the newest checkpoint's note, unchecked. */
export const fetchCheckpoint = (source) => source.fetch("checkpoint", MAX_CHECKPOINT, true);

/** Return the policy that the ledger itself offers to readers without ML-DSA-44: a proposal. */
export const fetchPolicy = (source) => source.fetch("policy-ed25519", MAX_POLICY, true);

/** Return the envelopes of roster.jsonl, the founding first, unjudged. */
export const fetchRoster = async (source) => rosterLines(await source.fetch("roster.jsonl", MAX_ROSTER_FILE, true));

/** Return the envelopes in the bytes of a roster.jsonl. */
export function rosterLines(data) {
  const lines = splitLines(data);
  if (lines.pop().length) throw formatError("roster.jsonl does not end with a newline", "roster-file");
  if (lines.some((line) => line.length > MAX_ENVELOPE)) throw formatError("a line of roster.jsonl is too long", "roster-file");
  return lines.map(loadEnvelope);
}

/** Return the hashes of a tile, cut from the full tile where the partial one has gone. */
export async function fetchTile(source, tile) {
  const data = await partialOrFull(source, tile, TILE_WIDTH * HASH_SIZE);
  if (![tile.width, TILE_WIDTH].includes(data.length / HASH_SIZE)) {
    throw proofError(`${tilePath(tile)} has ${data.length} bytes`, "truncated", { path: tilePath(tile) });
  }
  return data.subarray(0, tile.width * HASH_SIZE);
}

/** Return the entry bundle of a tile; where only the full bundle is left, the whole of that. */
export const fetchEntries = (source, tile) => partialOrFull(source, tile, MAX_BUNDLE);

/** Return the indexes under `value` in the bucket `prefix`, ascending: hints, which only a proof makes facts. */
export async function lookUp(source, kind, prefix, value) {
  const path = `lookup/${kind}/${prefix}`;
  let data;
  try {
    data = await source.fetch(path, MAX_BUCKET);
  } catch (error) {
    if (asLedgerError(error).code === "fetch-missing") return [];
    throw error;
  }
  return hintsIn(data, value, `${source.location}/${path}`);
}

function hintsIn(data, value, where) {
  const wanted = utf8(`${value} `);
  const isWanted = (line) => wanted.every((byte, at) => line[at] === byte);
  try {
    const found = splitLines(data).filter(isWanted).map((line) => parseDecimal(fromAscii(line.subarray(wanted.length))));
    return [...new Set(found)].sort((one, other) => one - other);
  } catch (error) {
    asLedgerError(error);
    throw failed(where, "not a look-up bucket");
  }
}

async function partialOrFull(source, tile, limit) {
  try {
    return await source.fetch(tilePath(tile), limit);
  } catch (error) {
    if (asLedgerError(error).code !== "fetch-missing" || tile.width === TILE_WIDTH) throw error;
  }
  return source.fetch(tilePath({ ...tile, width: TILE_WIDTH }), limit);
}
