// Reading an evidence bundle from somebody else (RFC 8493): nothing is trusted; as ledger/verifier/unbundle.py and
// bag_content.py.
//
// A bundle's manifest can be written by anybody. So every file is derived again: an act's folder from its proof (`extra` is the
// entry: record, signatures, document hashes) and from the withdrawals of the roster chain, the rest from the checkpoint.
// Whether those proofs and that chain hold is judged afterwards, by dossier.js.

import { fromUtf8, parseBase64, sameBytes, utf8 } from "./bytes.js";
import { dumpCanonical, has, isObject, parseCanonical } from "./canonical.js";
import { parseEntry } from "./entry.js";
import { publicKeyOfSpki } from "./envelope.js";
import { asLedgerError, attemptSync, formatError, newerError } from "./errors.js";
import { MAX_ROSTER, ROSTER_TYPE } from "./events.js";
import { parseNote } from "./note.js";
import { openCheckpoint, parsePolicy, policyFounding, vkeysOf } from "./policy.js";
import { parseProof } from "./proof.js";
import { parseRecord } from "./record.js";
import { sha256Hex } from "./sha256.js";
import { rosterLines } from "./source.js";
import { readZip } from "./zip.js";

const TAGS = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
const BAGIT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const PEM = /^-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=]{60})\n-----END PUBLIC KEY-----\n$/;

/**
 * Return {acts: [{index, proof, documents: Map(name: sha256)}], roster, policy, checkpoint, files, unread}. `readme` gives the
 * README that this version writes; `unread` names the files of fixed words that are other ones: nobody has read them.
 */
export async function readBundle(blob, readme) {
  const { hashes, sizes, kept } = await readZip(blob);
  checkManifest(hashes, kept);
  for (const name of ["data/README.txt", "data/roster.jsonl", "data/policy", "data/policy-ed25519", "data/checkpoint"]) {
    if (!hashes.has(name)) throw incomplete(name);
  }
  const [policy, checkpoint] = [kept.get("data/policy"), kept.get("data/checkpoint")];
  const roster = rosterLines(kept.get("data/roster.jsonl"));
  const acts = actsOf(hashes, kept, roster, checkpoint);
  await checkPolicies(policy, kept.get("data/policy-ed25519"), checkpoint, roster);
  const payload = [...sizes].filter(([name]) => !TAGS.includes(name)).map(([, size]) => size);
  const origin = fromUtf8(parseNote(checkpoint).text).split("\n")[0];
  const words = [
    ["data/README.txt", readme(origin, acts.length)], ["bagit.txt", BAGIT], ["bag-info.txt", bagInfo(acts.length, payload)],
  ];
  const unread = words.filter(([name, text]) => hashes.get(name) !== sha256Hex(utf8(text))).map(([name]) => name);
  return { acts, roster, policy, checkpoint, files: payload.length, unread };
}

/** Accept a manifest of exactly these files, and a manifest of the tag files where there is one. */
function checkManifest(hashes, kept) {
  if (!kept.has("manifest-sha256.txt") || !hashes.has("bagit.txt")) throw incomplete("manifest-sha256.txt");
  const payload = new Map([...hashes].filter(([name]) => !TAGS.includes(name)));
  const listed = new Map();
  const lines = new TextDecoder().decode(kept.get("manifest-sha256.txt")).split("\n");
  const rest = lines.pop();
  for (const line of lines) {
    const found = /^(.*?) {2}(.*)$/s.exec(line);
    if (!found || listed.has(found[2]) || rest) throw incomplete("manifest-sha256.txt");
    listed.set(found[2], found[1]);
  }
  const odd = [...listed.keys(), ...payload.keys()].find((name) => !listed.has(name) || !payload.has(name));
  if (odd !== undefined) throw incomplete(odd);
  for (const [name, code] of listed) if (payload.get(name) !== code) throw differs(name);
  const there = TAGS.slice(0, 3).filter((name) => hashes.has(name)).sort();
  const tags = there.map((name) => `${hashes.get(name)}  ${name}\n`).join("");
  const own = sha256Hex(utf8(tags));
  if ((hashes.get(TAGS[3]) ?? own) !== own) throw differs(TAGS[3]);
}

function bagInfo(acts, payload) {
  const size = payload.reduce((sum, one) => sum + one, 0);
  return `Bag-Software-Agent: bening\nExternal-Description: ${acts} acts\nPayload-Oxum: ${size}.${payload.length}\n`;
}

/** Return the acts in their order, each folder held against its proof. */
function actsOf(hashes, kept, roster, checkpoint) {
  const folders = new Map();
  for (const [path, code] of hashes) {
    const found = /^data\/acts\/([0-9]+)\/(.*)$/s.exec(path);
    if (!found) continue;
    const index = Number(found[1]);
    if (!folders.has(index)) folders.set(index, new Map());
    folders.get(index).set(found[2], code);
  }
  const chain = chainFacts(roster);
  return [...folders].sort(([one], [other]) => one - other).map(([index, folder]) => {
    const place = `data/acts/${index}/`;
    const proof = kept.get(`${place}proof.tlog-proof`);
    if (!proof) throw unknown(place + [...folder.keys()].sort()[0]);
    checkAct(index, proof, folder, (name) => kept.get(place + name), chain, checkpoint);
    const documents = [...folder].filter(([name]) => name.startsWith("documents/")).map(([name, code]) => [name.slice(10), code]);
    return { index, proof, documents: new Map(documents) };
  });
}

/** Accept the folder of one act: `folder` are the SHA-256 of its files by name, `bytesOf` gives the bytes of the key files. */
function checkAct(index, proofFile, folder, bytesOf, chain, checkpoint) {
  const place = `data/acts/${index}`;
  const proof = parseProof(proofFile);
  const entry = entryOf(proof, index, checkpoint, place);
  const wanted = new Map([
    ["proof.tlog-proof", sha256Hex(proofFile)], ["entry.json", sha256Hex(proof.extra)],
    ["record.json", sha256Hex(entry.envelope.payload)],
    ...documentsOf(entry, folder, chain.withdrawn), ...signaturesOf(entry, bytesOf, folder, place, chain),
  ]);
  for (const name of folder.keys()) if (!wanted.has(name)) throw unknown(`${place}/${name}`);
  for (const [name, code] of wanted) {
    if (!folder.has(name) && name.startsWith("documents/")) {
      throw formatError(`${place}/${name} is missing`, "bundle-document-missing", { name, index });
    }
    if (!folder.has(name)) throw incomplete(`${place}/${name}`);
    if (folder.get(name) !== code) throw notProven(`${place}/${name}`);
  }
}

/** Return the entry that the proof carries, if the proof stands where it belongs. */
function entryOf(proof, index, checkpoint, place) {
  if (proof.extra === null) throw incomplete(`${place}/entry.json`);
  if (proof.index !== index) throw notProven(place);
  if (!sameBytes(proof.checkpoint, checkpoint)) throw notProven("data/checkpoint");
  const entry = parseEntry(proof.extra);
  if (entry.envelope.payloadType === ROSTER_TYPE) throw unknown(place);
  return entry;
}

/** Return the documents that belong to the record; one that cannot be read here is never judged true, so any will do. */
function documentsOf(entry, folder, withdrawn) {
  const record = attemptSync(() => parseRecord(entry.envelope.payload));
  if (!record) return [...folder].filter(([name]) => name.startsWith("documents/") || name === "not-included.json");
  const missing = leftOut(record.data.documents, withdrawn);
  const shown = record.documents.filter((one) => !withdrawn.has(one.sha256));
  const there = shown.map((one) => [`documents/${documentName(one)}`, one.sha256]);
  const told = missing.length ? [["not-included.json", sha256Hex(dumpCanonical(missing), utf8("\n"))]] : [];
  return [...told, ...there];
}

function documentName({ name, sha256 }) {
  const plain = [...name].map((one) => (/^[A-Za-z0-9._-]$/.test(one) ? one : "_")).slice(-100).join("");
  return `${sha256.slice(0, 8)}-${plain}`;
}

/** What not-included.json says: the withheld documents, and the withdrawn ones with law and reason. */
function leftOut(documents, withdrawn) {
  return documents.flatMap((one) => {
    const event = withdrawn.get(one.sha256 ?? "");
    if (has(one, "withheld")) return [one];
    return event ? [{ ...one, withdrawn: { law: event.law, reason: event.reason } }] : [];
  });
}

/** Return signature and key of each signer; a key that was never enrolled has neither, which the verdict tells. */
function signaturesOf(entry, bytesOf, folder, place, chain) {
  return entry.envelope.signatures.flatMap(({ keyid, sig }) => {
    const [signature, key] = [`signature-${keyid.slice(0, 8)}.bin`, `key-${keyid.slice(0, 8)}.pem`];
    if (!folder.has(signature) && !folder.has(key) && !chain.isEnrolledBy(keyid, entry.roster)) return [];
    if (folder.has(key) && keyidOf(bytesOf(key)) !== keyid) throw notProven(`${place}/${key}`);
    return [[signature, sha256Hex(sig)], [key, folder.get(key) ?? ""]];
  });
}

/** The keyid of a key in exactly the form that Bening writes. */
function keyidOf(pem) {
  const found = PEM.exec(new TextDecoder("latin1").decode(pem));
  return found ? attemptSync(() => publicKeyOfSpki(parseBase64(found[1])).keyid) : null;
}

/** Return what the files of acts depend on in an unjudged roster chain. */
function chainFacts(roster) {
  const enrolled = new Map(), known = new Set(), withdrawn = new Map();
  for (const envelope of roster) {
    for (const event of eventsOf(envelope)) {
      if (event.event === "enrol" && typeof event.key === "string") known.add(sha256Hex(parseBase64(event.key)));
      const isWhole = ["sha256", "law", "reason"].every((key) => typeof event[key] === "string");
      if (event.event === "withdraw" && isWhole) withdrawn.set(event.sha256, event);
    }
    enrolled.set(envelope.id, new Set(known));
  }
  return { withdrawn, isEnrolledBy: (keyid, hash) => (enrolled.get(hash) ?? known).has(keyid) };
}

function eventsOf(envelope) {
  const payload = parseCanonical(envelope.payload, MAX_ROSTER);
  const events = isObject(payload) && Array.isArray(payload.events) ? payload.events : [];
  return events.filter(isObject);
}

/** Accept both policies: of this chain's founding, with log keys that it announced, and satisfied by the checkpoint. */
async function checkPolicies(policy, ed25519, checkpoint, roster) {
  const announced = roster.flatMap(eventsOf).flatMap((event) => {
    const log = event.event === "log_key" ? event : event.event === "founding" && isObject(event.log) ? event.log : {};
    return Array.isArray(log.vkeys) && log.vkeys.every((one) => typeof one === "string") ? [log.vkeys] : [];
  });
  const found = [];
  for (const [name, data] of [["data/policy", policy], ["data/policy-ed25519", ed25519]]) {
    const parsed = await readPolicy(name, data, checkpoint);
    if (!roster.length || policyFounding(data) !== roster[0].id) throw otherPolicy(name, "another founding");
    const isAnnounced = announced.some((pair) => vkeysOf(parsed).every((one) => pair.includes(one)));
    if (!isAnnounced) throw otherPolicy(name, "log keys that the roster does not name");
    found.push(new Set(parsed.logs.map((key) => String(key.key))));
  }
  const [full, short] = found;
  const isSame = full.size === short.size && [...full].every((key) => short.has(key));
  if (!isSame) throw otherPolicy("data/policy-ed25519", "another log key than in policy");
}

async function readPolicy(name, data, checkpoint) {
  try {
    const parsed = parsePolicy(data);
    await openCheckpoint(parsed, checkpoint);
    return parsed;
  } catch (error) {
    if (asLedgerError(error).kind === "newer") throw newerError(error.detail, error.values);
    throw otherPolicy(name, error.detail);
  }
}

const incomplete = (name) => formatError(`${name} is not both in the manifest and in the bag`, "bundle-incomplete", { name });
const differs = (name) => formatError(`${name} is not the file of the manifest`, "bundle-differs", { name });
const unknown = (name) => formatError(`${name} belongs to no proof`, "bundle-unknown-file", { name: name.slice(0, 200) });
const notProven = (name) =>
  formatError(`${name} is not what the proof proves`, "bundle-not-proven", { name: name.slice(0, 200) });
const otherPolicy = (name, why) => formatError(`${name}: ${why}`, "bundle-other-policy", { name, problem: why });
