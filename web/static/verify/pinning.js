// The part of the page that shows what this browser has pinned, and lets a person compare, accept or forget it.

import { byId, make } from "./elements.js";
import { asLedgerError } from "./errors.js";
import { originOf } from "./policy.js";
import { groupCode } from "./show.js";
import { check, sentence } from "./verdict.js";

/** Fill the panel from what is pinned; `ledger` is what the last opening returned, or null before the first. */
export async function showPin(pins, say, ledger = null) {
  const panel = byId("pin-facts");
  let pin = null, damage = null;
  try {
    pin = ledger?.pin ?? (await pins.load());
  } catch (error) {
    damage = sentence(check("pinned", "not_checked", asLedgerError(error).code, error.values), say);
  }
  panel.replaceChildren(...(pin ? rowsOf(pin, say) : [make("p", {}, damage ?? say("compare.pin-none"))]));
  byId("pin-compare").hidden = !pin;
  byId("pin-forget").hidden = !pin && !damage;
  byId("pin-accept").hidden = !ledger?.offered;
  byId("pin-evidence").hidden = !pin?.evidence.length;
  if (pin?.evidence.length) offerEvidence(pin);
}

function rowsOf(pin, say) {
  const row = (label, ...value) => make("div", {}, make("dt", {}, label), make("dd", {}, ...value));
  return [make("dl.facts", {},
    row(say("compare.pin-ledger"), originOf(pin.policy)),
    row(say("compare.pin-founding"), make("code.code", {}, groupCode(pin.founding))),
    row(say("compare.pin-since"), say.date(pin.since.slice(0, 10))),
    row(say("compare.pin-size"), String(pin.checkpoint.size)),
    row(say("compare.pin-confirmed"), say(pin.confirmed ? "compare.pin-confirmed-yes" : "compare.pin-confirmed-no")))];
}

/** What contradicts what was seen is worth keeping: every state, signed by the ledger's key. */
function offerEvidence(pin) {
  const notes = [pin.note, ...pin.evidence.map((text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0)))];
  const link = byId("pin-evidence").querySelector("a");
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob(notes.flatMap((note) => [note, "\n"]), { type: "text/plain" }));
}

/** Whether what a person typed from a printed announcement is the pinned founding; how it is grouped does not matter. */
export const isFounding = (typed, founding) => typed.toLowerCase().replace(/[^0-9a-f]/g, "") === founding;
