// Messages one below the other, as the chat and the history show them: days, names, what was answered, and what can be done with
// one of them.

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Message } from "../model/conversation";
import type { Model } from "../model/model";
import { dayOf, dayText, fullTimeText, t, timeText } from "../text/text";
import { fileInMessage } from "./file";
import { icons } from "./icons";
import { linked } from "./marked";

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 4 * 60_000;
/** A few emoji and nothing else are shown large. */
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\p{M}\u200d]*\s*){1,6}$/u;

export interface LogOptions {
  model: Model;
  messages: Message[];
  /** The id after which "New" stands; empty: nowhere. */
  readBefore?: string;
  /** Words that are marked. */
  search?: string;
  /** What stands below a message of one's own, and its buttons; nothing in a history. */
  mark?: (message: Message) => unknown;
  actions?: (message: Message) => unknown;
}

export function log(options: LogOptions): unknown {
  const { messages, readBefore } = options;
  const names = new Map(messages.map((message) => [message.name, message]));
  let before: Message | null = null;
  let isNewSaid = !readBefore;
  const rows = messages.map((message) => {
    const isDay = before === null || dayOf(before.at) !== dayOf(message.at);
    const isNew = !isNewSaid && !message.isOwn && message.id > (readBefore ?? "");
    isNewSaid ||= isNew;
    const follows =
      !isDay && !isNew && before?.from === message.from && before.via === message.via && message.at - before.at < TOGETHER_MS;
    before = message;
    return { message, isDay, isNew, follows };
  });
  return repeat(
    rows,
    ({ message }) => message.key,
    ({ message, isDay, isNew, follows }) => html`
      ${isDay ? html`<div class="separator"><span>${dayText(message.at)}</span></div>` : nothing}
      ${isNew ? html`<div class="separator separator-new"><span>${t("chat.new")}</span></div>` : nothing}
      ${row(message, follows, message.reply ? names.get(message.reply) : undefined, options)}`,
  );
}

function row(message: Message, follows: boolean, answered: Message | undefined, options: LogOptions): TemplateResult {
  const { model, search, mark, actions } = options;
  const name = (one: Message): string => (one.isOwn ? t("chat.you") : model.person(one.from).name);
  return html`<article class="message ${message.isOwn ? "own" : ""} ${follows ? "follows" : ""} state-${message.state}"
    tabindex="-1" data-key=${message.key} data-id=${message.id}>
    ${follows
      ? html`<span class="hidden">${name(message)} ${timeText(message.at)}</span>`
      : html`<div class="byline">${name(message)}
          ${message.via ? html`<span class="via">${icons.people}${t("chat.via", { alias: model.person(message.via).name })}</span>` : nothing}
          <time title=${fullTimeText(message.at)}>${timeText(message.at)}</time></div>`}
    <div class="bubble">
      ${answered ? html`<blockquote><b>${name(answered)}</b> ${answered.body || answered.file?.name}</blockquote>` : nothing}
      ${message.isRetracted ? html`<p class="gone">${t("chat.retracted")}</p>` : html`${message.file ? fileInMessage(message.file) : nothing}${message.body ? html`<p class=${EMOJI_ONLY.test(message.body) ? "jumbo" : ""}>${linked(message.body, search)}</p>` : nothing}`}
      ${message.isEdited && !message.isRetracted ? html`<small class="edited">${t("chat.edited")}</small>` : nothing}
    </div>
    ${mark?.(message) ?? nothing} ${actions?.(message) ?? nothing}
  </article>`;
}
