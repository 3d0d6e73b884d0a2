// The log's keys over time: which pair signs a checkpoint of a given size is what the roster says; as ledger/verifier/logkeys.py.

import { asLedgerError, policyError } from "./errors.js";
import { claimedBy, formatVkey, parseVkey } from "./note.js";
import { LOG_PQ, openCheckpoint, originOf, vkeysOf } from "./policy.js";
import { replayRoster, logKeysAt } from "./roster.js";
import { fetchCheckpoint, fetchRoster } from "./source.js";

const isAmong = (mine, keys) => mine.every((one) => keys.vkeys.includes(one));

/** Return the opened checkpoint if the log's keys at its size signed it; the policy's witnesses stay required. */
export async function openByRoster(policy, note, rosters) {
  const { size } = claimedBy(note);
  for (const keys of namesKeysOf(policy, rosters) ? logKeysAt(rosters.at(-1), size) : []) {
    try {
      return await openCheckpoint(withKeys(policy, keys.vkeys), note);
    } catch (error) {
      if (asLedgerError(error).code !== "wrong-key") throw error;
    }
  }
  throw policyError("not signed by the log's keys at that size", "wrong-key", { origin: policy.logs[0].name });
}

/** Whether the newest of `rosters` knows the policy's log keys, of whatever time. */
export const namesKeysOf = (policy, rosters) =>
  rosters.length > 0 && rosters.at(-1).logKeys.some((keys) => isAmong(vkeysOf(policy), keys));

/** Whether the newest of `rosters` names the policy's log keys for checkpoints of `size`. */
export const namesKeysAt = (policy, rosters, size) =>
  rosters.length > 0 && logKeysAt(rosters.at(-1), size).some((keys) => isAmong(vkeysOf(policy), keys));

/** Whether `opened` was signed by a key that the roster knows, but not for that size. */
export function endedAt(opened, rosters) {
  if (!rosters.length) return false;
  const vkey = formatVkey(opened.logKey), newest = rosters.at(-1);
  const knows = (keys) => keys.vkeys.includes(vkey);
  return newest.logKeys.some(knows) && !logKeysAt(newest, opened.checkpoint.size).some(knows);
}

/** Return {chain, n}: the roster of a source that the policy's keys no longer sign, and the event that replaced them. */
export async function changedKeys(source, policy, founding) {
  const chain = await fetchRoster(source);
  const rosters = await replayRoster(chain, founding);
  await openByRoster(policy, await fetchCheckpoint(source), rosters);
  const mine = vkeysOf(policy);
  const isMine = (roster) => isAmong(mine, roster.logKeys.at(-1));
  const at = rosters.findIndex((one, n) => n > 0 && isMine(rosters[n - 1]) && !isMine(one));
  if (at < 0) throw policyError("no event replaced the policy's keys", "wrong-key", { origin: originOf(policy) });
  return { chain, n: rosters[at].n };
}

/** Return `policy` with another pair of log keys; one that asks for Ed25519 only goes on doing so. */
function withKeys(policy, [first, second]) {
  const witnesses = new Map(policy.witnesses);
  if (witnesses.has(LOG_PQ)) witnesses.set(LOG_PQ, { name: LOG_PQ, key: parseVkey(second) });
  return { ...policy, logs: [parseVkey(first)], witnesses };
}
