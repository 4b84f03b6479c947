// What stands in the middle before anybody was chosen: a greeting, and what waits to be read.

import { html, nothing, type TemplateResult } from "lit";
import type { Model } from "../model/model";
import { t } from "../text/text";
import { face } from "./face";
import { icons } from "./icons";

const SHOWN = 4;

/** `pick`: somebody whose conversation is to be opened. */
export function start(model: Model, pick: (peer: string) => void): TemplateResult {
  const waiting = model.recent.filter((conversation) => conversation.unread > 0).slice(0, SHOWN);
  const name = model.me.name.split(" ")[0] ?? "";
  return html`<div class="nobody">
    ${face(model.me, "l", model.photo(model.you))}
    <h1>${t("start.hello", { name })}</h1>
    <p>${waiting.length > 0 ? t("start.waiting") : t("contact.none")}</p>
    ${waiting.length > 0
      ? html`<ul class="plain waiting">
          ${waiting.map(({ peer, unread, newest }) => {
            const person = model.person(peer);
            return html`<li><button class="row" @click=${() => pick(peer)}>
              ${face(person, "m", model.photo(peer), model.statusOf(peer).status)}
              <span class="row-words"><span class="row-name strong">${person.name}</span><small>${newest?.body || newest?.file?.name}</small></span>
              <span class="badge" role="img" aria-label=${t("nav.unread", { count: unread })}>${unread}</span>
            </button></li>`;
          })}
        </ul>`
      : nothing}
    <small class="wide-only">${icons.search}${t("start.keys")}</small>
  </div>`;
}
