// Where one entry stands among the others: the roster that it names, and its time, held against the ledger around it; as
// ledger/verifier/place.py.

import { parseEntry } from "./entry.js";
import { attemptSync } from "./errors.js";
import { ROSTER_TYPE } from "./events.js";

const WALK = 4096;

/** Note what the ledger around the entry says against it; `dossier.rosters` is not empty. */
export async function checkPlace(dossier, view, entry) {
  await checkNewest(dossier, view);
  if (dossier.proof.index < view.size) {
    await checkNeighbours(dossier, view, entry);
    await checkNamed(dossier, view, entry);
  }
}

/** Note whether a roster event stands at its payload's one place. */
export async function checkEventPlace(dossier, view, entry) {
  const n = dossier.rosters.find((one) => one.hash === entry.envelope.id)?.n ?? null;
  const place = n === null ? null : await rosterPlace(view, dossier.rosters, n);
  if (place === null) dossier.add("authority", "not_checked", "roster-place-unknown", { n: n ?? -1 });
  else if (place !== dossier.proof.index) {
    dossier.add("authority", "failed", "roster-replayed", { n, place, index: dossier.proof.index });
  }
}

/** The chain at hand must reach the roster that the ledger's last entry names; revocations may be missing otherwise. */
async function checkNewest(dossier, view) {
  const last = await entryAt(view, view.size - 1);
  const newest = last && (last.envelope.payloadType === ROSTER_TYPE ? last.envelope.id : last.roster);
  if (!dossier.rosters.some((one) => one.hash === newest)) {
    dossier.add("roster", "not_checked", "roster-not-whole", { n: dossier.rosters.at(-1).n, size: view.size });
  }
}

async function checkNeighbours(dossier, view, entry) {
  const { index } = dossier.proof;
  const turnedBack = (place, other) =>
    dossier.add("authority", "failed", "time-turned-back", { index, place, time: entry.time, other });
  const before = index > 0 ? await entryAt(view, index - 1) : null;
  const after = index + 1 < view.size ? await entryAt(view, index + 1) : null;
  if (before && before.time > entry.time) turnedBack(index - 1, before.time);
  if (after && after.time < entry.time) turnedBack(index + 1, after.time);
}

/** The named roster must stand before the entry, and the next one not. */
async function checkNamed(dossier, view, entry) {
  const { rosters, proof: { index } } = dossier;
  const n = rosters.find((one) => one.hash === entry.roster)?.n;
  if (n === undefined) return;
  const own = await rosterPlace(view, rosters, n);
  const following = n + 1 < rosters.length ? await rosterPlace(view, rosters, n + 1) : view.size;
  if (own !== null && own >= index) dossier.add("authority", "failed", "roster-from-later", { n, place: own, index });
  else if (following !== null && following < index) {
    dossier.add("authority", "failed", "roster-outdated", { n: n + 1, place: following, index });
  } else if (own === null || following === null) dossier.add("authority", "not_checked", "roster-place-unknown", { n });
}

/**
 * Return the index of roster payload `n`, found by halving, as entries name rosters in their order; null if it is not there.
 * Entries that name an outdated roster lead halving past it, so the last WALK entries before that place are read as well.
 */
async function rosterPlace(view, rosters, n) {
  const turns = new Map(rosters.map((one) => [one.hash, one.n]));
  let low = 0, high = view.size;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const entry = await entryAt(view, middle);
    if (entry && (turns.get(entry.roster) ?? -1) >= n) high = middle;
    else low = middle + 1;
  }
  for (let place = low - 1; place >= 0 && place > low - 1 - WALK; place--) {
    const entry = await entryAt(view, place);
    if (entry?.envelope.id === rosters[n].hash) return place;
  }
  return null;
}

/** Return a proven entry; null if it is of a later version or was written against the rules. */
async function entryAt(view, index) {
  const data = await view.entry(index);
  return attemptSync(() => parseEntry(data));
}
