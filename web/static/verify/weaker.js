// Whether one policy asks for less than another, compared by keys, as names may change; as ledger/verifier/weaker.py.

import { partition } from "./bytes.js";
import { formatVkey } from "./note.js";
import { LOG_PQ, holds } from "./policy.js";

const EXACT = 12; // all sets of so many witnesses are looked at; beyond, they must stay the same and the least count not fall

/** Whether `offered` lacks a witness of `pinned`, or accepts a checkpoint that `pinned` would not. */
export function isWeaker(pinned, offered) {
  const [before, after] = [new Set(idsOf(pinned).values()), new Set(idsOf(offered).values())];
  if ([...before].some((id) => !after.has(id))) return true;
  if (after.size > EXACT) return after.size !== before.size || least(offered, offered.quorum) < least(pinned, pinned.quorum);
  return subsets([...after]).some((some) => holdsById(offered, some) && !holdsById(pinned, some));
}

/** What each witness is known by, whatever this policy calls it; the log's own second key may be rotated. */
function idsOf(policy) {
  const id = ({ name, key }) => (name === LOG_PQ || key === null ? name : partition(partition(formatVkey(key), "+")[2], "+")[2]);
  return new Map([...policy.witnesses.values()].map((one) => [one.name, id(one)]));
}

function holdsById(policy, ids) {
  return holds(policy, [...idsOf(policy)].filter(([, id]) => ids.includes(id)).map(([name]) => name));
}

/** How many witnesses suffice for `name`; the log's own key is none. */
function least(policy, name) {
  if (name === null || name === LOG_PQ) return 0;
  const group = policy.groups.get(name);
  if (!group) return 1;
  const counts = group.members.map((member) => least(policy, member)).sort((one, other) => one - other);
  return counts.slice(0, group.needed).reduce((sum, one) => sum + one, 0);
}

const subsets = (all) => all.reduce((found, one) => [...found, ...found.map((some) => [...some, one])], [[]]);
