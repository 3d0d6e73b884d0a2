// The file to keep: the same checks without any network, against a policy and founding that the person gives or a bundle carries.

import { utf8 } from "./bytes.js";
import { checkFiles } from "./checking.js";
import { trustIn } from "./dossier.js";
import { canCheckEd25519 } from "./ed25519.js";
import { byId, make } from "./elements.js";
import { asLedgerError } from "./errors.js";
import { parsePolicy, policyFounding } from "./policy.js";
import { rosterLines } from "./source.js";
import { makeReadme, setBusy, showResults, watchDrops } from "./stage.js";
import { check, checkOf } from "./verdict.js";
import { makeSay } from "./words.js";

const data = JSON.parse(byId("words").textContent);
const say = makeSay(data.words, data.lang);

start();

async function start() {
  if (!(await canCheckEd25519())) {
    byId("cannot").hidden = false;
    byId("cannot-text").textContent = say("compare.no-ed25519");
    document.documentElement.dataset.ready = "yes";
    return;
  }
  watchDrops(run);
  document.documentElement.dataset.ready = "yes";
}

async function run(files) {
  setBusy(true, say("compare.busy"));
  try {
    const ledger = await readTrust();
    showResults(await checkFiles(files, ledger, { readme: makeReadme(data.readme), founding: ledger.founding }), say, {});
  } catch (error) {
    setBusy(false);
    byId("result").replaceChildren(make("p.notice.alert", {}, say("compare.fault", { detail: String(error) })));
    throw error;
  }
}

/** Return the ledger that the person trusts: without a view, as nothing can be asked here. */
async function readTrust() {
  const found = { trusted: null, view: null, before: [], notices: [], founding: typedFounding() };
  const [policyFile] = byId("policy").files;
  const [rosterFile] = byId("roster").files;
  try {
    const roster = rosterFile ? rosterLines(new Uint8Array(await rosterFile.arrayBuffer())) : [];
    const text = byId("policy-text").value.trim();
    if (!policyFile && !text) return found;
    const policy = policyFile ? new Uint8Array(await policyFile.arrayBuffer()) : utf8(`${text}\n`);
    return { ...found, ...trustGiven(policy, found.founding, roster) };
  } catch (error) {
    return { ...found, before: [checkOf("ledger", asLedgerError(error))] };
  }
}

function trustGiven(policyFile, typed, roster) {
  const named = policyFounding(policyFile);
  if (typed && named && typed !== named) {
    const values = { given: typed.slice(0, 16), named: named.slice(0, 16) };
    return { before: [check("founding", "failed", "founding-differs", values)] };
  }
  return { trusted: trustIn({ policy: parsePolicy(policyFile), founding: typed ?? named, roster }) };
}

/** The founding as typed, how it is grouped left aside; null where none was. */
function typedFounding() {
  return byId("founding").value.toLowerCase().replace(/[^0-9a-f]/g, "") || null;
}
