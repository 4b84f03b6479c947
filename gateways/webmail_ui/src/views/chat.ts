// One conversation: what was said, and the place to say more. In a pane of the page, or alone in a window of its own.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Message } from "../model/conversation";
import type { Person } from "../model/frames";
import { dayOf, dayText, fullTimeText, t, timeText } from "../text/text";
import { dot, face, presenceText } from "./face";
import { icons } from "./icons";
import { linked } from "./linked";
import { View } from "./view";

/** Messages of one person within this time stand together under one name. */
const TOGETHER_MS = 4 * 60_000;
/** So near to an end, in pixels, the list is taken to be there. */
const NEAR = 80;
const EMOJI = ["🙂", "😀", "😂", "😉", "😍", "🤔", "😮", "😢", "👍", "👎", "👏", "🙏", "🎉", "❤️", "🔥", "✅", "❌", "☕"];

export class ChatView extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    target: { attribute: false },
    isAlone: { attribute: false },
    reply: { state: true },
    edited: { state: true },
    isAtEnd: { state: true },
    showsEmoji: { state: true },
  };
  declare peer: string;
  /** The id of the message to go to. */
  declare target: string;
  declare isAlone: boolean;
  declare reply: Message | null;
  declare edited: Message | null;
  declare isAtEnd: boolean;
  declare showsEmoji: boolean;
  /** Up to which id it was read when it was opened: where "New" stands. */
  private readBefore = "";
  private anchor: { key: string; top: number } | null = null;

  constructor() {
    super();
    this.peer = this.target = "";
    this.isAlone = false;
    this.reply = this.edited = null;
    this.isAtEnd = true;
    this.showsEmoji = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("focus", this.looked);
    document.addEventListener("visibilitychange", this.looked);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("focus", this.looked);
    document.removeEventListener("visibilitychange", this.looked);
    this.model.typing(this.peer, false);
  }

  get isLookedAt(): boolean {
    return document.visibilityState === "visible" && document.hasFocus() && this.isAtEnd;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("peer")) {
      const before = changed.get("peer") as string | undefined;
      if (before) this.model.typing(before, false);
      this.reply = this.edited = null;
      this.isAtEnd = true;
      const conversation = this.model.conversation(this.peer);
      this.readBefore = conversation.unread > 0 ? conversation.read : "￿";
    }
    if (this.model.isUp) void this.model.load(this.peer);
    this.keepPlace();
  }

  protected override updated(changed: PropertyValues): void {
    const log = this.log;
    if (log === null) return;
    if (this.target && this.showTarget()) this.target = "";
    else if (this.anchor !== null) {
      const row = this.querySelector<HTMLElement>(`[data-key="${CSS.escape(this.anchor.key)}"]`);
      if (row) log.scrollTop += row.getBoundingClientRect().top - this.anchor.top;
      this.anchor = null;
    } else if (this.isAtEnd) log.scrollTop = log.scrollHeight;
    if (this.isLookedAt) this.model.markRead(this.peer);
    if (log.scrollHeight <= log.clientHeight && this.model.conversation(this.peer).isLoaded) this.older();
    if (changed.has("peer") || changed.has("edited") || changed.has("reply")) this.focusBox();
  }

  protected override render(): TemplateResult {
    const person = this.model.person(this.peer);
    const conversation = this.model.conversation(this.peer);
    return html`<section class="chat" aria-label=${t("chat.label", { name: person.name })}>
      ${this.head(person)}
      <div class="log" role="log" aria-label=${t("chat.log")} tabindex="0" @scroll=${this.scrolled}>
        ${conversation.isComplete ? html`<p class="log-note">${t("chat.start")}</p>` : nothing}
        ${conversation.isLoading ? html`<p class="log-note">${t("chat.loading")}</p>` : nothing}
        ${this.messages(conversation.messages)}
        ${this.model.isTyping(this.peer)
          ? html`<p class="typing"><span class="typing-dots" aria-hidden="true"><i></i><i></i><i></i></span>${t("chat.typing", { name: person.name })}</p>`
          : nothing}
      </div>
      ${this.isAtEnd
        ? nothing
        : html`<button class="to-end" aria-label=${t("chat.newest")} @click=${this.toEnd}>${icons.down}
            ${conversation.unread ? html`<span class="badge">${conversation.unread}</span>` : nothing}</button>`}
      ${this.composer(person)}
    </section>`;
  }

  private head(person: Person): TemplateResult {
    const { status, text } = this.model.statusOf(this.peer);
    return html`<header class="chat-head">
      <button class="icon-button narrow-only" aria-label=${t("contact.back")} @click=${() => this.tell("close-chat", null)}>${icons.back}</button>
      ${face(person, "m", this.model.photo(this.peer))}
      <div class="row-words"><h1 class="row-name">${person.name}</h1>
        <small class="card-status">${dot(status)}<span>${presenceText(status)}</span>${text ? html`<q>${text}</q>` : nothing}</small></div>
      ${this.isAlone
        ? nothing
        : html`<button class="icon-button wide-only" aria-label=${t("contact.window")} title=${t("contact.window")}
              @click=${() => this.tell("open-window", this.peer)}>${icons.window}</button>
            <button class="icon-button wide-only" aria-label=${t("chat.close")} title=${t("chat.close")}
              @click=${() => this.tell("close-chat", null)}>${icons.close}</button>`}
    </header>`;
  }

  // -- the log ---------------------------------------------------------------------------------------------------------

  private messages(messages: Message[]): unknown {
    let before: Message | null = null;
    let isNewSaid = false;
    const rows = messages.map((message) => {
      const isDay = before === null || dayOf(before.at) !== dayOf(message.at);
      const isNew = !isNewSaid && !message.isOwn && message.id > this.readBefore;
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
        ${this.message(message, follows)}`,
    );
  }

  private message(message: Message, follows: boolean): TemplateResult {
    const sender = this.model.person(message.from);
    const answered = message.reply ? this.model.conversation(this.peer).messages.find((one) => one.name === message.reply) : undefined;
    return html`<article class="message ${message.isOwn ? "own" : ""} ${follows ? "follows" : ""} state-${message.state}"
      data-key=${message.key} data-id=${message.id}>
      ${follows
        ? nothing
        : html`<div class="byline">${message.isOwn ? t("chat.you") : sender.name}
            ${message.via ? html`<span class="via">${t("chat.via", { alias: this.model.person(message.via).name })}</span>` : nothing}
            <time title=${fullTimeText(message.at)}>${timeText(message.at)}</time></div>`}
      <div class="bubble">
        ${answered ? html`<blockquote><b>${answered.isOwn ? t("chat.you") : this.model.person(answered.from).name}</b> ${answered.body}</blockquote>` : nothing}
        ${message.isRetracted
          ? html`<p class="gone">${t("chat.retracted")}</p>`
          : html`<p>${linked(message.body)}</p>`}
        ${message.isEdited && !message.isRetracted ? html`<small class="edited">${t("chat.edited")}</small>` : nothing}
      </div>
      ${message.isOwn ? this.mark(message) : nothing}
      ${message.id && !message.isRetracted ? this.actions(message) : nothing}
    </article>`;
  }

  private mark(message: Message): TemplateResult {
    if (message.state === "failed") {
      return html`<div class="mark failed" role="alert">${icons.warning}<span>${t("chat.failed", { why: message.failure })}</span>
        <button class="link" @click=${() => this.model.sayAgain(message.key)}>${t("chat.again")}</button>
        <button class="link" @click=${() => this.model.discard(message.key)}>${t("chat.discard")}</button></div>`;
    }
    const icon = { waiting: icons.clock, kept: icons.check, displayed: icons.checks }[message.state];
    return html`<span class="mark mark-${message.state}" role="img" aria-label=${t(`chat.${message.state}`)} title=${t(`chat.${message.state}`)}>${icon}</span>`;
  }

  private actions(message: Message): TemplateResult {
    const action = (key: "chat.reply" | "chat.edit" | "chat.retract", icon: unknown, act: () => void): TemplateResult =>
      html`<button class="icon-button" aria-label=${t(key)} title=${t(key)} @click=${act}>${icon}</button>`;
    return html`<div class="actions" role="group" aria-label=${t("chat.actions")}>
      ${action("chat.reply", icons.reply, () => {
        this.edited = null;
        this.reply = message;
      })}
      ${message.isOwn
        ? html`${action("chat.edit", icons.edit, () => this.edit(message))}
            ${action("chat.retract", icons.retract, () => this.model.say(this.peer, "", { retracts: message.name }))}`
        : nothing}
    </div>`;
  }

  // -- the composer ----------------------------------------------------------------------------------------------------

  private composer(person: Person): TemplateResult {
    const note = !this.model.isUp
      ? t("line.down")
      : this.model.status === "Offline"
        ? t("chat.offline")
        : this.model.statusOf(this.peer).status === "Offline"
          ? t("chat.unavailable", { name: person.name })
          : "";
    const about = this.edited ? t("chat.editing") : this.reply ? t("chat.replying", { name: this.model.person(this.reply.from).name }) : "";
    return html`<form class="composer" @submit=${this.submit}>
      ${about
        ? html`<div class="about"><span>${about}</span><small>${(this.edited ?? this.reply)?.body}</small>
            <button type="button" class="icon-button" aria-label=${t("chat.cancel")} @click=${this.cancel}>${icons.close}</button></div>`
        : nothing}
      ${this.showsEmoji
        ? html`<div class="emoji" role="group" aria-label=${t("chat.emoji")}>
            ${EMOJI.map((one) => html`<button type="button" @click=${() => this.insert(one)}>${one}</button>`)}</div>`
        : nothing}
      <div class="composer-row">
        <button type="button" class="icon-button" aria-label=${t("chat.emoji")} aria-expanded=${this.showsEmoji}
          @click=${() => (this.showsEmoji = !this.showsEmoji)}>${icons.emoji}</button>
        <textarea rows="1" aria-label=${t("chat.message")} placeholder=${t("chat.message.to", { name: person.name })}
          maxlength="50000" @input=${this.typed} @keydown=${this.key}></textarea>
        <button class="primary send" aria-label=${t("chat.send")}>${icons.send}</button>
      </div>
      ${note ? html`<p class="composer-note" role="status">${note}</p>` : nothing}
    </form>`;
  }

  private get box(): HTMLTextAreaElement | null {
    return this.querySelector("textarea");
  }

  private get log(): HTMLElement | null {
    return this.querySelector(".log");
  }

  private focusBox(): void {
    if (matchMedia("(pointer: fine)").matches || this.reply || this.edited) this.box?.focus();
  }

  private readonly typed = (): void => {
    const box = this.box;
    if (box === null) return;
    this.grow(box);
    this.model.typing(this.peer, box.value.trim() !== "" && this.edited === null);
  };

  private grow(box: HTMLTextAreaElement): void {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, 160)}px`;
  }

  private readonly key = (event: KeyboardEvent): void => {
    const box = event.target as HTMLTextAreaElement;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit(event);
    } else if (event.key === "Escape" && (this.reply || this.edited)) {
      event.stopPropagation();
      this.cancel();
    } else if (event.key === "ArrowUp" && box.value === "") {
      const last = this.model.conversation(this.peer).messages.findLast((m) => m.isOwn && m.id && !m.isRetracted);
      if (last) {
        event.preventDefault();
        this.edit(last);
      }
    }
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    const box = this.box;
    const body = box?.value.trim() ?? "";
    if (box === null || body === "") return;
    if (this.edited) this.model.say(this.peer, body, { replaces: this.edited.origin });
    else if (this.reply) this.model.say(this.peer, body, { reply: this.reply.name, replyTo: this.reply.from });
    else this.model.say(this.peer, body);
    this.readBefore = "￿";
    this.cancel();
    this.toEnd();
  };

  private edit(message: Message): void {
    this.reply = null;
    this.edited = message;
    const box = this.box;
    if (box) {
      box.value = message.body;
      this.grow(box);
    }
  }

  private readonly cancel = (): void => {
    this.reply = this.edited = null;
    this.showsEmoji = false;
    const box = this.box;
    if (box) {
      box.value = "";
      this.grow(box);
      box.focus();
    }
  };

  private insert(text: string): void {
    const box = this.box;
    box?.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
    box?.focus();
    this.typed();
  }

  // -- where one is ----------------------------------------------------------------------------------------------------

  private readonly scrolled = (): void => {
    const log = this.log;
    if (log === null) return;
    this.isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    if (log.scrollTop < NEAR) this.older();
    if (this.isLookedAt) this.model.markRead(this.peer);
  };

  private older(): void {
    if (this.model.isUp && this.model.conversation(this.peer).isLoaded) void this.model.load(this.peer, true);
  }

  private readonly toEnd = (): void => {
    this.isAtEnd = true;
    const log = this.log;
    if (log) log.scrollTop = log.scrollHeight;
  };

  private readonly looked = (): void => {
    if (this.isLookedAt) this.model.markRead(this.peer);
  };

  /** What is at the top of the view stays where it is when something comes above it. */
  private keepPlace(): void {
    const log = this.log;
    if (log === null || this.isAtEnd) return;
    const edge = log.getBoundingClientRect().top;
    const row = [...log.querySelectorAll<HTMLElement>(".message")].find((one) => one.getBoundingClientRect().bottom > edge);
    if (row?.dataset["key"]) this.anchor = { key: row.dataset["key"], top: row.getBoundingClientRect().top };
  }

  private showTarget(): boolean {
    const row = this.querySelector<HTMLElement>(`[data-id="${CSS.escape(this.target)}"]`);
    if (row === null) {
      const { oldest, isComplete } = this.model.conversation(this.peer);
      if (!isComplete && this.target < oldest) this.older();
      return isComplete;
    }
    this.isAtEnd = false;
    this.anchor = null;
    row.scrollIntoView({ block: "center" });
    row.classList.add("shown");
    return true;
  }
}

customElements.define("rookery-chat", ChatView);
