// A face: the photo, or the initials on a colour of the address's own; and the dot of the status.

import { html, nothing, type TemplateResult } from "lit";
import type { Person, Status } from "../model/frames";
import type { Model } from "../model/model";
import { lastedText, t } from "../text/text";
import { icons } from "./icons";

const HUES = 8;

export function face(person: Person, size: "s" | "m" | "l", photo?: string, status?: Status): TemplateResult {
  return html`<span class="face face-${size} hue-${hue(person.address)} ${person.alias ? "face-alias" : ""}" aria-hidden="true">
    ${photo ? html`<img src=${photo} alt="" />` : person.alias ? icons.people : html`<span data-initials=${initials(person.name)}></span>`}
    ${status ? dot(status) : nothing}
  </span>`;
}

export function dot(status: Status): TemplateResult {
  return html`<span class="dot dot-${status.toLowerCase()}" aria-hidden="true"></span>`;
}

/** The status in words, for how long, and the person's own words for it. */
export function statusLine(model: Model, address: string): TemplateResult {
  const { status, text } = model.statusOf(address);
  const since = model.sinceOf(address);
  const lasted = since === undefined ? "" : lastedText(since);
  return html`<p class="status-line">${dot(status)}<span>${presenceText(status)}${lasted ? html` <span class="lasted">${t("presence.for", { time: lasted })}</span>` : nothing}</span>
    ${text ? html`<q>${text}</q>` : nothing}</p>`;
}

export function presenceText(status: Status): string {
  return t(`presence.${status}`);
}

function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => [...(word ?? "?")][0] ?? "").join("").toUpperCase();
}

function hue(address: string): number {
  let sum = 7;
  for (const character of address) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % HUES;
}
