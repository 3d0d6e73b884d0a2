// The sentences of this page's language, filled in; they come from ledger/words.toml in a block of JSON. Values are data of
// strangers: hidden characters in them are shown by number, and what is made of them is text, never markup.

import { dateIn, timeIn } from "./show.js";

const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;
const TIMES = ["time", "other"];
const DATES = ["date", "begins", "until"];

/** Return `text` on one line, control, format and bidirectional characters as \u{XXXX}. */
export const escapeText = (text) =>
  text.replace(HIDDEN, (one) => `\\u{${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}}`);

/** Return say(key, values), with say.has(key), say.lang and say.date(iso); `sentences` are those of one language by key. */
export function makeSay(sentences, lang, offset = "+00:00") {
  const known = new Map(Object.entries(sentences));
  const say = (key, values = {}) => {
    const sentence = known.get(key);
    if (sentence === undefined) return escapeText(key);
    return sentence.replace(/\{\{|\}\}|\{(\w+)\}/g, (whole, name) => {
      if (name === undefined) return whole[0];
      return Object.hasOwn(values, name) ? escapeText(shown(name, values[name], say)) : "…";
    });
  };
  say.has = (key) => known.has(key);
  say.lang = lang;
  say.offset = offset;
  say.date = (text) => dateIn(text, say);
  return say;
}

/** Return a value as people read it: local times and dates, the name of a document's role, anything else as it is. */
function shown(name, value, say) {
  if (TIMES.includes(name)) return timeIn(String(value), say);
  if (DATES.includes(name)) return dateIn(String(value), say);
  if (name === "role" && say.has(`page.role-${value}`)) return say(`page.role-${value}`);
  return String(value);
}
