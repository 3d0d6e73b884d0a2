// Opening a ledger as this browser trusts it: by what it has pinned, or at a first visit by what the ledger itself offers, which
// is then pinned and said not to have been compared. As ledger/verifier/trust.py and the opening in verify.py.

import { sameBytes } from "./bytes.js";
import { trustIn } from "./dossier.js";
import { parseEntry } from "./entry.js";
import { asLedgerError, attempt, attemptSync, policyError, storeError, verificationError } from "./errors.js";
import { changedKeys, namesKeysAt } from "./logkeys.js";
import { originOf, parsePolicy, policyFounding, vkeysOf } from "./policy.js";
import { openView } from "./reader.js";
import { replay } from "./signers.js";
import { fetchPolicy } from "./source.js";
import { check, checkOf } from "./verdict.js";
import { isWeaker } from "./weaker.js";

/**
 * Return {trusted, view, before, notices, pin, offered}: whom to trust (null where nothing could be read), the checked view or
 * null, checks and notices made on the way, the pin, and a changed policy that a person may accept.
 */
export async function openLedger(source, pins) {
  let pin;
  try {
    pin = await pins.load();
  } catch (error) {
    return opened({ before: [checkOf("pinned", asLedgerError(error))] });
  }
  return pin ? openPinned(source, pins, pin) : openFirst(source, pins);
}

const opened = (found) => ({ trusted: null, view: null, before: [], notices: [], pin: null, offered: null, ...found });

/** A first visit: what the ledger offers must agree with itself; it is pinned, and nothing is complete by it. */
async function openFirst(source, pins) {
  let proposal;
  try {
    proposal = await propose(source);
  } catch (error) {
    return opened({ before: [troubleOf(asLedgerError(error), source)] });
  }
  const { policyFile, policy, founding, view } = proposal;
  const pin = await pins.add(policyFile, founding, view);
  const pinning = [check("pinned", "not_checked", pin.isKept ? "first-use" : "first-use-unkept", { founding })];
  return opened({ trusted: trustIn({ policy, founding, pinning }), view, pin });
}

/** Return what `source` offers, after checking that it agrees with itself: checkpoint, entry 0, roster, keys. */
async function propose(source) {
  const policyFile = await fetchPolicy(source);
  const [policy, founding] = [parsePolicy(policyFile), policyFounding(policyFile)];
  if (founding === null) throw storeError("the policy names no founding", "founding-unknown", { founding: "?" });
  const view = await openView(source, policy, founding);
  const newest = (await replay(await view.envelopes(), founding)).at(-1);
  const first = parseEntry(await view.entry(0)).envelope.id;
  if (first !== founding) {
    const values = { founding: first.slice(0, 16), expected: founding.slice(0, 16) };
    throw verificationError("entry 0 is another founding", "other-founding", values);
  }
  if (newest.origin !== originOf(policy) || !namesKeysAt(policy, [newest], view.size)) {
    throw policyError("the roster names other log keys than the policy", "keys-not-in-roster", { origin: originOf(policy) });
  }
  return { policyFile, policy, founding, view };
}

async function openPinned(source, pins, pin) {
  const { policy, founding, since } = pin;
  const pinning = [check("pinned", "passed", "pinned-since", { date: since.slice(0, 10), founding })];
  if (!pin.confirmed) pinning.push(check("compared", "not_checked", "founding-not-compared", { founding }));
  const trusted = trustIn({ policy, founding, pin, pinning });
  const change = await policyChange(source, pin);
  let view;
  try {
    view = await openView(source, policy, founding);
  } catch (error) {
    return openFailed(asLedgerError(error), source, pin, trusted, change);
  }
  const before = await judgeChange(change, pin, view);
  try {
    await pins.follow(pin, view);
  } catch (error) {
    before.checks.push(checkOf("history", asLedgerError(error)));
  }
  return opened({ trusted, view, before: before.checks, notices: before.notices, pin, offered: before.offered });
}

/** The pinned keys do not open it: the roster may say since when there are others, signed by the pinned founding's authority. */
async function openFailed(error, source, pin, trusted, change) {
  const before = isOtherFounding(change, pin) ? [foundingChanged(change, pin)] : [];
  const changed = error.code === "wrong-key" ? await attempt(() => changedKeys(source, pin.policy, pin.founding)) : null;
  if (!changed) return opened({ trusted, before: [...before, troubleOf(error, source)], pin });
  const told = check("ledger", "not_checked", "log-keys-changed", { n: changed.n, name: originOf(pin.policy) });
  // The new policy may be pinned in its place: the authority of the pinned founding has signed the change of keys.
  const offered = change && !before.length ? change.policyFile : null;
  return opened({ trusted: { ...trusted, served: changed.chain }, before: [...before, told], pin, offered });
}

/** Pin a changed policy in the place of the old one; the ledger under it must continue what was seen. */
export async function acceptPolicy(source, pins, pin, policyFile) {
  const view = await openView(source, parsePolicy(policyFile), pin.founding);
  await view.checkGrowth(pin.checkpoint);
  return pins.add(policyFile, pin.founding, view, { since: pin.since, confirmed: pin.confirmed });
}

/** Return the check of a ledger that did not open; what nobody has signed (a log-in page, a cut copy) is not checked. */
function troubleOf(error, source) {
  const found = checkOf("ledger", error);
  const values = { ...found.values, location: source.location };
  return error.kind === "format" ? check("ledger", "not_checked", "source-is-no-ledger", values) : { ...found, values };
}

/** Return what the ledger offers now as its policy, null where it is the pinned one or could not be read. */
async function policyChange(source, pin) {
  const policyFile = await attempt(() => fetchPolicy(source));
  if (!policyFile || sameBytes(policyFile, pin.policyFile)) return null;
  const policy = attemptSync(() => parsePolicy(policyFile));
  return policy && { policyFile, policy, founding: policyFounding(policyFile) };
}

const isOtherFounding = (change, pin) => change !== null && change.founding !== pin.founding;

function foundingChanged(change, pin) {
  const values = { founding: change.founding ?? "?", pinned: pin.founding, date: pin.since.slice(0, 10) };
  return check("pinned", "failed", "founding-changed", values);
}

/** A changed policy is always told; it fails where the authority has not signed the change of keys, or it asks for less. */
async function judgeChange(change, pin, view) {
  if (!change) return { checks: [], notices: [], offered: null };
  const values = { date: pin.since.slice(0, 10) };
  if (isOtherFounding(change, pin)) return { checks: [foundingChanged(change, pin)], notices: [], offered: null };
  const isSameKeys = String(vkeysOf(change.policy)) === String(vkeysOf(pin.policy));
  const rosters = (await attempt(async () => replay(await view.envelopes(), pin.founding))) ?? [];
  if (!isSameKeys && !namesKeysAt(change.policy, rosters, view.size)) {
    return { checks: [check("pinned", "failed", "policy-other-keys", values)], notices: [], offered: null };
  }
  if (isWeaker(pin.policy, change.policy)) {
    return { checks: [check("pinned", "failed", "policy-weaker", values)], notices: [], offered: null };
  }
  return { checks: [], notices: [check("policy", "passed", "policy-changed", values)], offered: change.policyFile };
}
