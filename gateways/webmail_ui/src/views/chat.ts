// One conversation: what was said, and the place to say more. In a pane of the page, or alone in a window of its own.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import type { Message } from "../model/conversation";
import type { Person } from "../model/frames";
import { t, timeText } from "../text/text";
import "./composer";
import type { Composer } from "./composer";
import { face, statusLine } from "./face";
import "./finder";
import { icons } from "./icons";
import { log } from "./log";
import { rove } from "./roving";
import { View } from "./view";

/** So near to an end, in pixels, the list is taken to be there. */
const NEAR = 80;
/** Messages that are kept loaded at the end of a long day; who reads upwards has as many as he wants. */
const MOST = 600;
const KEPT = 300;
/** Pages of older messages that are fetched on the way to one that was searched for; beyond, the history shows it. */
const PAGES_TO_TARGET = 6;

export class ChatView extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    isAlone: { attribute: false },
    words: { state: true },
    isAtEnd: { state: true },
    active: { state: true },
    isDropping: { state: true },
  };
  declare peer: string;
  declare isAlone: boolean;
  /** What is looked for in the conversation; null: nothing is. */
  declare words: string | null;
  declare isAtEnd: boolean;
  /** Key of the message that is reached with Tab. */
  declare active: string;
  /** Files are held over the conversation. */
  declare isDropping: boolean;
  /** Up to which id it was read when it was opened: where "New" stands. */
  private readBefore = "";
  private isOpening = false;
  private target = "";
  private pagesToTarget = 0;
  private anchor: { key: string; top: number } | null = null;

  constructor() {
    super();
    this.peer = this.active = "";
    this.isAlone = this.isDropping = false;
    this.words = null;
    this.isAtEnd = true;
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
    this.observer.disconnect();
  }

  protected override firstUpdated(): void {
    if (this.log) this.observer.observe(this.log);
  }

  get isLookedAt(): boolean {
    return document.visibilityState === "visible" && document.hasFocus() && this.isAtEnd;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("peer")) {
      const conversation = this.model.conversation(this.peer);
      this.isAtEnd = this.isOpening = true;
      this.words = null;
      this.target = this.active = "";
      this.readBefore = conversation.unread > 0 ? conversation.read || "0" : "";
    }
    if (this.model.isUp) void this.model.load(this.peer);
    if (this.isAtEnd) this.model.conversation(this.peer).trim(MOST, KEPT);
    this.keepPlace();
  }

  protected override updated(): void {
    const log = this.log;
    if (log === null) return;
    if (this.target) this.showTarget();
    else if (this.anchor !== null) {
      const row = this.row(this.anchor.key);
      if (row) log.scrollTop += row.getBoundingClientRect().top - this.anchor.top;
    } else if (this.isAtEnd) log.scrollTop = log.scrollHeight;
    this.anchor = null;
    const { isLoaded } = this.model.conversation(this.peer);
    if (isLoaded && this.isOpening) this.showNew(log);
    if (isLoaded && log.scrollHeight <= log.clientHeight) this.older();
    if (this.isLookedAt) this.model.markRead(this.peer);
  }

  protected override render(): TemplateResult {
    const person = this.model.person(this.peer);
    const { isComplete, isLoading, messages, unread } = this.model.conversation(this.peer);
    const last = messages.at(-1)?.key;
    const active = messages.some((message) => message.key === this.active) ? this.active : last;
    return html`<section class="chat ${this.isDropping ? "dropping" : ""}" aria-label=${t("chat.label", { name: person.name })}
      @dragenter=${this.drag} @dragover=${this.drag} @dragleave=${this.drag} @drop=${this.drop}>
      ${this.isDropping ? html`<div class="drop-here">${icons.clip}<p>${t("file.drop", { name: person.name })}</p></div>` : nothing}
      ${this.head(person)}
      ${this.words === null
        ? nothing
        : html`<rookery-finder .model=${this.model} .peer=${this.peer} @find-words=${this.mark} @find-go=${this.go}
            @find-close=${this.endFind}></rookery-finder>`}
      <div class="log" role="log" aria-label=${t("chat.log")} tabindex="0" @scroll=${this.scrolled} @keydown=${this.logKey}
        @focusin=${this.focused} @load=${{ handleEvent: this.grew, capture: true }}>
        ${isComplete ? html`<p class="log-note">${t("chat.start")}</p>` : nothing}
        ${isLoading ? html`<p class="log-note">${t("chat.loading")}</p>` : nothing}
        ${log({
          model: this.model,
          messages,
          readBefore: this.readBefore,
          search: this.words ?? "",
          mark: (message) => (message.isOwn ? this.state(message) : nothing),
          actions: (message) => (message.id && !message.isRetracted ? this.actions(message, message.key === active) : nothing),
        })}
        ${this.model.isTyping(this.peer)
          ? html`<p class="typing"><span class="typing-dots" aria-hidden="true"><i></i><i></i><i></i></span>${t("chat.typing", { name: person.name })}</p>`
          : nothing}
      </div>
      ${this.isAtEnd
        ? nothing
        : html`<div class="to-end-place"><button class="to-end" aria-label=${t("chat.newest")} title=${t("chat.newest")}
            @click=${this.toEnd}>${icons.down}${unread ? html`<span class="badge">${unread}</span>` : nothing}</button></div>`}
      <rookery-composer .model=${this.model} .peer=${this.peer} @said=${this.said}></rookery-composer>
    </section>`;
  }

  private head(person: Person): TemplateResult {
    const button = (label: string, icon: unknown, act: () => void, kind = ""): TemplateResult =>
      html`<button class="icon-button ${kind}" aria-label=${label} title=${label} @click=${act}>${icon}</button>`;
    return html`<header class="chat-head">
      ${this.isAlone ? nothing : button(t("contact.back"), icons.back, () => this.tell("close-chat", null), "narrow-only")}
      ${face(person, "m", this.model.photo(this.peer))}
      <div class="row-words"><h1 class="row-name">${person.name}</h1>${statusLine(this.model, this.peer)}</div>
      ${button(t("find.label"), icons.search, () => (this.words = this.words === null ? "" : null))}
      ${this.isAlone
        ? nothing
        : html`${button(t("contact.window"), icons.window, () => this.tell("open-window", this.peer), "wide-only")}
            ${button(t("chat.close"), icons.close, () => this.tell("close-chat", null), "wide-only")}`}
    </header>`;
  }

  // -- one message -----------------------------------------------------------------------------------------------------

  private state(message: Message): TemplateResult {
    if (message.state === "failed") {
      return html`<div class="mark failed" role="alert">${icons.warning}<span>${t("chat.failed", { why: message.failure })}</span>
        <button class="link" @click=${() => this.model.sayAgain(message.key)}>${t("chat.again")}</button>
        <button class="link" @click=${() => this.model.discard(message.key)}>${t("chat.discard")}</button></div>`;
    }
    const icon = { waiting: icons.clock, kept: icons.check, displayed: icons.checks }[message.state];
    const words = t(`chat.${message.state}`);
    return html`<span class="mark mark-${message.state}" role="img" aria-label=${words} title=${words}>${icon}</span>`;
  }

  private actions(message: Message, isReached: boolean): TemplateResult {
    const action = (key: "chat.reply" | "chat.edit" | "chat.retract", icon: unknown, act: () => void): TemplateResult =>
      html`<button class="icon-button" tabindex=${isReached ? 0 : -1} aria-label=${t(key)} title=${t(key)} @click=${act}>${icon}</button>`;
    return html`<div class="actions" role="group" aria-label=${t("chat.actions")}>
      <time>${timeText(message.at)}</time>
      ${action("chat.reply", icons.reply, () => this.composer?.answer(message))}
      ${message.isOwn
        ? html`${message.file ? nothing : action("chat.edit", icons.edit, () => this.composer?.correct(message))}
            ${action("chat.retract", icons.retract, () => this.model.say(this.peer, "", { retracts: message.name }))}`
        : nothing}
    </div>`;
  }

  private readonly focused = (event: FocusEvent): void => {
    const key = (event.target as HTMLElement).closest<HTMLElement>(".message")?.dataset["key"];
    if (key) this.active = key;
  };

  private readonly logKey = (event: KeyboardEvent): void => {
    const rows = [...this.querySelectorAll<HTMLElement>(".message")];
    const log = this.log;
    if (event.target === log && event.key === "ArrowUp" && log !== null && this.isAtEnd) {
      event.preventDefault();
      rows.at(-1)?.focus();
    } else if (rove(event, rows, "vertical", false) && rows.indexOf(document.activeElement as HTMLElement) < 2) this.older();
  };

  // -- files -----------------------------------------------------------------------------------------------------------

  private readonly drag = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    const isInside = this.contains(event.relatedTarget as Node | null);
    this.isDropping = event.type !== "dragleave" || isInside;
  };

  private readonly drop = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.isDropping = false;
    this.model.uploads.add(this.peer, event.dataTransfer.files);
  };

  /** A picture was loaded, or the composer grew. */
  private readonly grew = (): void => {
    if (this.isAtEnd) this.toEnd();
  };
  private readonly observer = new ResizeObserver(this.grew);

  // -- find ------------------------------------------------------------------------------------------------------------

  private readonly mark = (event: CustomEvent<string>): void => {
    this.words = event.detail;
  };

  private readonly go = (event: CustomEvent<string>): void => {
    this.target = event.detail;
    this.pagesToTarget = PAGES_TO_TARGET;
    this.requestUpdate();
  };

  private readonly endFind = (): void => {
    this.words = null;
    this.querySelector<HTMLElement>("rookery-composer textarea")?.focus();
  };

  // -- where one is ----------------------------------------------------------------------------------------------------

  private get log(): HTMLElement | null {
    return this.querySelector(".log");
  }

  private get composer(): Composer | null {
    return this.querySelector<Composer>("rookery-composer");
  }

  private row(key: string): HTMLElement | null {
    return this.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

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

  private readonly said = (): void => {
    this.readBefore = "";
    this.toEnd();
  };

  private readonly toEnd = (): void => {
    this.isAtEnd = true;
    const log = this.log;
    if (log) log.scrollTop = log.scrollHeight;
  };

  private readonly looked = (): void => {
    if (this.isLookedAt) this.model.markRead(this.peer);
  };

  /** Who opens a conversation with much that is new begins to read there. */
  private showNew(log: HTMLElement): void {
    this.isOpening = false;
    const mark = this.querySelector<HTMLElement>(".separator-new");
    if (mark === null || mark.getBoundingClientRect().top >= log.getBoundingClientRect().top) return;
    this.isAtEnd = false;
    mark.scrollIntoView({ block: "start" });
  }

  /** What is at the top of the view stays where it is when something comes above it. */
  private keepPlace(): void {
    const log = this.log;
    if (log === null || this.isAtEnd) return;
    const edge = log.getBoundingClientRect().top;
    const row = [...log.querySelectorAll<HTMLElement>(".message")].find((one) => one.getBoundingClientRect().bottom > edge);
    if (row?.dataset["key"]) this.anchor = { key: row.dataset["key"], top: row.getBoundingClientRect().top };
  }

  private showTarget(): void {
    const conversation = this.model.conversation(this.peer);
    const message = conversation.rowOf(this.target);
    const row = message && this.row(message.key);
    if (row) {
      this.target = "";
      this.isAtEnd = false;
      row.scrollIntoView({ block: "center" });
      for (const one of this.querySelectorAll(".shown")) one.classList.remove("shown");
      row.classList.add("shown");
    } else if (!conversation.isLoading && conversation.isLoaded) {
      this.pagesToTarget -= 1;
      if (this.pagesToTarget >= 0 && !conversation.isComplete) this.older();
      else {
        this.tell("open-history", { peer: this.peer, id: this.target, words: this.words ?? "" });
        this.target = "";
      }
    }
  }
}

customElements.define("rookery-chat", ChatView);
