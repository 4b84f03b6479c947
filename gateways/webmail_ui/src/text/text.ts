// The words of the page in the person's language.

import { de } from "./de";
import { en, type Key } from "./en";

const catalogues: Record<string, Record<Key, string>> = { en, de };

function choose(): string {
  return navigator.languages.map((tag) => tag.split("-")[0] ?? "").find((tag) => tag in catalogues) ?? "en";
}

export const language = choose();
const catalogue = catalogues[language] ?? en;

/** The text of a key, with `{names}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return catalogue[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const sameYear = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const otherYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const narrow = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" });
const short = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const wholeDay = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** A size in bytes, as people say it. */
export function bytesText(bytes: number): string {
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
  const digits = bytes / 1000 ** step < 10 && step > 0 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: "unit", unit: UNITS[step] ?? "byte", unitDisplay: step ? "short" : "long", maximumFractionDigits: digits }).format(bytes / 1000 ** step);
}

/** Names a day so that two times of it have the same name. */
export function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** Midnight before this time, here. */
export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

export function timeText(at: number): string {
  return clock.format(at);
}

export function fullTimeText(at: number): string {
  return full.format(at);
}

export function dayText(at: number, now = Date.now()): string {
  const day = dayOf(at);
  if (day === dayOf(now)) return t("chat.today");
  if (day === dayOf(now - 86_400_000)) return t("chat.yesterday");
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? sameYear.format(at) : otherYear.format(at);
}

export function fullDayText(at: number): string {
  return wholeDay.format(at);
}

/** How long something has lasted by now, in one unit; empty: hardly a minute. */
export function lastedText(since: number, now = Date.now()): string {
  const minutes = Math.floor((now - since) / 60_000);
  const [value, unit] = minutes < 60 ? [minutes, "minute"] : minutes < 1440 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
  return value < 1 ? "" : new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
}

/** A day where there is little room. */
export function shortDayText(at: number, now = Date.now()): string {
  const isLong = ![dayOf(now), dayOf(now - 86_400_000)].includes(dayOf(at));
  return isLong && new Date(at).getFullYear() === new Date(now).getFullYear() ? narrow.format(at) : dayText(at, now);
}

/** As short as a list needs it: the time today, the day before. */
export function shortText(at: number, now = Date.now()): string {
  if (dayOf(at) === dayOf(now)) return clock.format(at);
  return dayOf(at) === dayOf(now - 86_400_000) ? t("chat.yesterday") : short.format(at);
}
