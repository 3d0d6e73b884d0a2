// How facts look to a reader: dates, times, money and codes, in a language and at the founding's time zone; as web/present.py.
//
//   2022-08-01              1 Agustus 2022                       1 August 2022
//   2026-11-23T23:11:22Z    24 November 2026, 06.11 WIB          24 November 2026, 06:11 WIB
//   IDR 187500000           Rp187.500.000                        Rp187,500,000

import { isDate, isTime } from "./shapes.js";

const ZONES = { "+07:00": "WIB", "+08:00": "WITA", "+09:00": "WIT" };
const MONEY = /^([A-Z]{3}) ([0-9]+)(?:\.([0-9]{1,2}))?$/;

/** Return YYYY-MM-DD as a date with the month's name; anything else as it stands. */
export function dateIn(text, say) {
  if (!isDate(text)) return text;
  const [year, month, day] = text.split("-").map(Number);
  return `${day} ${say("page.months").split(" ")[month - 1]} ${year}`;
}

/** Return a UTC time as local date and clock with the zone's name; anything else as it stands. */
export function timeIn(text, say) {
  if (!isTime(text)) return text;
  const minutes = (Number(say.offset.slice(1, 3)) * 60 + Number(say.offset.slice(4, 6))) * (say.offset[0] === "-" ? -1 : 1);
  const local = new Date(Date.parse(text) + minutes * 60_000).toISOString();
  const clock = local.slice(11, 16).replace(":", say.lang === "id" ? "." : ":");
  const zone = ZONES[say.offset] ?? (minutes ? `UTC${say.offset}` : "UTC");
  return say("page.moment", { date: local.slice(0, 10), clock, zone });
}

/** Return an amount ("IDR 187500000") as it is written on papers; what is no amount as it stands. */
export function moneyIn(text, say) {
  const found = MONEY.exec(text);
  if (!found) return text;
  const [, currency, whole, cents] = found;
  const after = cents ? say("fact.decimal") + cents.padEnd(2, "0") : "";
  const amount = whole.replace(/\B(?=(\d{3})+$)/g, say("fact.thousands")) + after;
  return currency === "IDR" ? `Rp${amount}` : `${currency}\u00a0${amount}`;
}

/** Return a hex code in groups of eight, so that a person can compare it with another. */
export const groupCode = (code) => code.match(/.{1,8}/g)?.join(" ") ?? "";
