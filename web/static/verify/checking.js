// Checking one thing in hand: a document, a proof, an evidence bundle, or what was typed from a paper; as
// ledger/verifier/verify.py.
//
//   1 see what was given                  files by their content: bundles, proofs, salts, documents
//   2 find the acts                       from the proof, the bundle, or by the file code in the look-up
//   3 judge each act                      dossier.js: one verdict an act
//
// A document that no look-up knows is not checked: absence is never falsehood. Nothing here sends a file code anywhere.

import { fromHex, isHex, utf8, toHex } from "./bytes.js";
import { recordAt, indexesOfDocument, indexesOfNumber, indexesOfRef } from "./acts.js";
import { readBundle } from "./bag.js";
import { judgeAct, trustIn } from "./dossier.js";
import { parseEntry } from "./entry.js";
import { LedgerError, asLedgerError, attempt, fetchError, formatError } from "./errors.js";
import { foldNumber } from "./numbers.js";
import { parsePolicy, policyFounding } from "./policy.js";
import { MAX_PROOF, isProof, parseProof } from "./proof.js";
import { sha256OfBlob } from "./sha256.js";
import { check, checkOf, copyCheck, findCheck } from "./verdict.js";
import { isBundle } from "./zip.js";

const SUFFIX = ".tlog-proof";
// One number or file may be in more acts than a phone can check; what is left out is said.
const MOST_ACTS = 50, MOST_HINTS = 500;

/** Return {documents, proofs, bundles, salts, damaged} of files that were dropped or chosen together. */
export async function sortFiles(files) {
  const given = { documents: [], proofs: [], bundles: [], salts: [], damaged: [] };
  for (const file of files) {
    const start = new Uint8Array(await file.slice(0, 64).arrayBuffer());
    if (file.name.endsWith(SUFFIX) || isProof(start)) given.proofs.push(file);
    else if (/\.salt$/.test(file.name) && file.size <= 4096) await readSalt(file, given);
    else if (await isBundle(file)) given.bundles.push(file);
    else given.documents.push(file);
  }
  return given;
}

/** Return one verdict for each act that the given files are or belong to; `ledger` is what openLedger returned. */
export async function checkFiles(files, ledger, { readme, progress = () => {} }) {
  const given = await sortFiles(files);
  const damaged = (path) => check("salt", "not_checked", "salt-damaged", { path });
  const verdicts = given.damaged.map((name) => stopped(name, ledger, [damaged(name)]));
  for (const bundle of given.bundles) verdicts.push(...(await checkBundle(bundle, ledger, readme)));
  const used = new Set();
  for (const file of given.documents) {
    const proof = proofOf(file, given);
    used.add(proof);
    const document = { name: file.name, sha256: await sha256OfBlob(file, (count) => progress(file, count)), salts: given.salts };
    if (proof) verdicts.push(await addItself(await checkProof(proof, file.name, ledger, document), ledger, document));
    else verdicts.push(...(await checkByCode(document, ledger)));
  }
  for (const proof of given.proofs.filter((one) => !used.has(one))) {
    verdicts.push(await checkProof(proof, proof.name, ledger, null));
  }
  return verdicts;
}

/** Return a verdict for each act that carries the typed reference or number, to be compared with the paper. */
export async function checkTyped({ ref = null, number = null }, ledger) {
  const { view, before } = ledger;
  const subject = ref ?? number;
  if (!view) return [stopped(subject, ledger, before)];
  try {
    const isNumbered = ({ number: other }) => foldNumber(other ?? "") === foldNumber(number);
    const isMeant = ({ record }) => (ref === null ? isNumbered(record.data) : record.ref === ref);
    const hints = ref === null ? await indexesOfNumber(view, number) : await indexesOfRef(view, ref);
    const indexes = await matching(hints, async (index) => {
      const found = await recordAt(view, index);
      return found !== null && isMeant(found);
    });
    const notFound = check("document", "not_checked", "typed-not-found", { typed: subject });
    return await judgeIndexes(indexes, subject, ledger, null, notFound);
  } catch (error) {
    return [stopped(subject, ledger, [...before, checkOf("look-up", asLedgerError(error))])];
  }
}

/** Ask the look-up for the file code; a hint that does not name the document is no evidence of anything. */
async function checkByCode(document, ledger) {
  const { view, before } = ledger;
  const { name, sha256 } = document;
  if (!view) {
    const missing = check("document", "not_checked", "nothing-to-check-against", { sha256 });
    return [stopped(name, ledger, before.length ? before : [missing])];
  }
  try {
    const indexes = await matching(await indexesOfDocument(view, sha256), (index) => namesDocument(view, index, sha256));
    const notFound = check("document", "not_checked", "document-not-found", { sha256 });
    return await judgeIndexes(indexes, name, ledger, document, notFound);
  } catch (error) {
    const kind = asLedgerError(error).kind === "fetch" ? "document" : "inclusion";
    return [stopped(name, ledger, [...before, checkOf(kind, error)])];
  }
}

/** Return the hints that hold; of more than can be looked at, none may be passed over in silence. */
async function matching(hints, isMeant) {
  const found = [];
  for (const index of hints.slice(0, MOST_HINTS)) if (await isMeant(index)) found.push(index);
  const left = hints.length - MOST_HINTS;
  if (left > 0 && !found.length) throw fetchError(`${hints.length} hints`, "too-many-hints", { count: hints.length });
  return { found, left: Math.max(left, 0) };
}

async function judgeIndexes({ found: indexes, left }, subject, ledger, document, notFound) {
  // A bucket may leave out what it should name: that is said, as only a full audit sees it.
  const hints = check("look-up", "not_checked", "look-up-hints");
  if (!indexes.length) return [stopped(subject, ledger, [...ledger.before, notFound, hints])];
  const verdicts = [];
  for (const index of indexes.slice(0, MOST_ACTS)) verdicts.push(await checkIndex(index, subject, ledger, document));
  const count = left + indexes.length - verdicts.length;
  if (count) verdicts[0].notices.push(check("more", "passed", "more-acts", { count, limit: MOST_ACTS }));
  return verdicts;
}

async function checkIndex(index, subject, { trusted, view, before, notices }, document) {
  const verdict = await judgeAct(trusted, await view.proof(index), { subject, view, document, before });
  return { ...verdict, notices: [...notices, ...verdict.notices] };
}

/** Whether the act at `index` names the document; one of a later version may, and is judged as such. */
async function namesDocument(view, index, sha256) {
  const found = await recordAt(view, index);
  if (found) return found.record.documents.some((one) => one.sha256 === sha256);
  const data = await view.entry(index);
  try {
    return toHex(parseEntry(data).envelope.payload).includes(toHex(utf8(sha256)));
  } catch (error) {
    return asLedgerError(error).kind === "newer";
  }
}

async function checkProof(file, subject, ledger, document) {
  const bytes = new Uint8Array(await file.slice(0, MAX_PROOF + 1).arrayBuffer());
  return checkProofBytes(bytes, subject, ledger, document);
}

async function checkProofBytes(bytes, subject, ledger, document) {
  const { trusted, view, before, notices } = ledger;
  let proof;
  try {
    proof = parseProof(bytes);
    if (proof.extra === null && view) proof = { ...proof, extra: await view.entry(proof.index) };
  } catch (error) {
    return stopped(subject, ledger, [...before, checkOf("inclusion", asLedgerError(error))]);
  }
  if (!trusted) return stopped(subject, ledger, before.length ? before : [check("document", "not_checked", "no-trust-given")]);
  // What is wrong with the copy of the ledger that was asked is no trouble of a proof that holds without it.
  const isOfCopy = (one) => ["history", "pinned"].includes(one.name) || (one.name === "ledger" && "location" in one.values);
  const told = before.map((one) => (isOfCopy(one) ? copyCheck(one, one.values.location ?? view?.source.location ?? "") : one));
  const verdict = await judgeAct(trusted, proof, { subject, view, document, before: told, given: true });
  return { ...verdict, notices: [...notices, ...verdict.notices] };
}

/** Where the proof is about another act, say which act the file itself was published with, if it is found. */
async function addItself(verdict, { view }, document) {
  if (!view || findCheck(verdict, "document")?.state !== "failed") return verdict;
  const itself = await attempt(async () => {
    for (const index of await indexesOfDocument(view, document.sha256)) {
      const found = await recordAt(view, index);
      if (found?.record.documents.some((one) => one.sha256 === document.sha256)) {
        return check("itself", "passed", "document-itself", { index, ref: found.record.ref });
      }
    }
    return null;
  });
  return itself ? { ...verdict, notices: [itself, ...verdict.notices] } : verdict;
}

async function checkBundle(file, ledger, readme) {
  let bundle;
  try {
    bundle = await readBundle(file, readme);
  } catch (error) {
    return [stopped(file.name, ledger, [...ledger.before, checkOf("bag", asLedgerError(error))])];
  }
  const unread = bundle.unread.map((name) => check("bag", "not_checked", "bag-unread", { name }));
  const bag = [check("bag", "passed", "bag-holds", { count: bundle.files }), ...unread];
  const known = { ...ledger, trusted: trustFor(bundle, ledger), before: [...ledger.before, ...bag] };
  const verdicts = [];
  for (const act of bundle.acts) {
    const documents = [...act.documents].map(([name, sha256]) => ({ name, sha256, salts: [] }));
    for (const document of documents.length ? documents : [null]) {
      verdicts.push(await checkProofBytes(act.proof, `${file.name}: ${act.index}`, known, document));
    }
  }
  return verdicts.length ? verdicts : [stopped(file.name, ledger, known.before)];
}

/**
 * Whom to trust about a bundle: what is pinned, else what the bundle itself carries, which is then said. A founding that a person
 * typed from a printed announcement settles it: the roster chain starts there, and names the log's keys.
 */
function trustFor(bundle, { trusted, founding: typed = null }) {
  if (trusted) return trusted.roster.length ? trusted : { ...trusted, roster: bundle.roster };
  const named = policyFounding(bundle.policy);
  const pinning = typed === null
    ? check("pinned", "not_checked", "bundle-own-policy", { founding: named })
    : check("pinned", "passed", "founding-given", { founding: typed });
  return trustIn({ policy: parsePolicy(bundle.policy), founding: typed ?? named, roster: bundle.roster, pinning: [pinning] });
}

/** Return the proof that goes with a document: of its name, or the only one beside the only document. */
function proofOf(file, { documents, proofs }) {
  const named = proofs.find((one) => one.name === file.name + SUFFIX);
  return named ?? (documents.length === 1 && proofs.length === 1 ? proofs[0] : null);
}

async function readSalt(file, given) {
  try {
    const { salt } = JSON.parse(await file.text());
    if (!isHex(salt, 32)) throw formatError(`${file.name} is no salt`, "salt-damaged");
    given.salts.push(fromHex(salt));
  } catch (error) {
    if (!(error instanceof LedgerError || error instanceof SyntaxError || error instanceof TypeError)) throw error;
    given.damaged.push(file.name);
  }
}

function stopped(subject, { trusted, notices = [] }, checks) {
  const [origin, founding] = [trusted?.policy.logs[0]?.name ?? "", trusted?.founding ?? ""];
  return { subject, checks, facts: null, notices, origin, founding };
}
