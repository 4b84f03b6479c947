// The left pane: search, contacts, recent conversations.

import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ChatFrame } from "../model/frames";
import { timeOf } from "../model/frames";
import { shortText, t } from "../text/text";
import { face } from "./face";
import { icons } from "./icons";
import { excerpt } from "./marked";
import "./people";
import { rove } from "./roving";
import { View } from "./view";

/** After the last key until the archive is searched; contacts are searched at each. */
const PAUSE_MS = 200;
const NOBODY = { addresses: [], isComplete: true };

export class Navigation extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    selected: { attribute: false },
    isRecent: { state: true },
    text: { state: true },
    found: { state: true },
    messages: { state: true },
    top: { state: true },
    height: { state: true },
  };
  declare selected: string;
  declare isRecent: boolean;
  declare text: string;
  /** What the search found: contacts, and messages; null: nothing was searched for, or no answer is here yet. */
  declare found: string[] | null;
  declare messages: ChatFrame[] | null;
  /** More contacts fit than were found. */
  private hasMore = false;
  declare top: number;
  declare height: number;
  private timer: number | undefined;
  private isSearching = false;
  private readonly observer = new ResizeObserver(([entry]) => (this.height = entry?.contentRect.height ?? 600));

  constructor() {
    super();
    this.selected = this.text = "";
    this.isRecent = false;
    this.found = this.messages = null;
    this.top = 0;
    this.height = 600;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.shortcut);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.shortcut);
    this.observer.disconnect();
  }

  protected override firstUpdated(): void {
    const pane = this.querySelector(".nav-scroll");
    if (pane) this.observer.observe(pane);
  }

  protected override render(): TemplateResult {
    const unread = this.model.unread;
    return html`<form class="search" role="search" aria-label=${t("nav.search")} @submit=${this.submit}>
        <input type="search" aria-label=${t("nav.search")} placeholder=${t("nav.search")} .value=${this.text} maxlength="256"
          autocomplete="off" spellcheck="false" @input=${this.typed} @keydown=${this.searchKey} />
        <button class="icon-button" aria-label=${t("nav.search.submit")}>${icons.search}</button>
      </form>
      <div class="segments nav-segments" role="group" aria-label=${t("nav.label")}>
        <button aria-pressed=${!this.isRecent} @click=${() => this.show(false)}>${t("nav.contacts")}</button>
        <button aria-pressed=${this.isRecent} @click=${() => this.show(true)}>
          ${t("nav.recent")}${unread ? html`<span class="badge">${unread}</span>` : nothing}
        </button>
      </div>
      <div class="nav-scroll" @scroll=${this.scrolled} @keydown=${this.listKey}>
        ${this.isRecent && this.found === null
          ? this.recent()
          : html`<rookery-people .model=${this.model} .selected=${this.selected} .found=${this.found} .search=${this.found ? this.text : ""}
              .top=${this.top} .height=${this.height}></rookery-people>`}
        ${this.found !== null && this.hasMore ? html`<p class="empty">${t("nav.found.more")}</p>` : nothing}
        ${this.found !== null ? this.foundMessages() : nothing}
      </div>`;
  }

  // -- conversations ---------------------------------------------------------------------------------------------------

  private recent(): TemplateResult {
    const recent = this.model.recent;
    if (recent.length === 0) return html`<p class="empty">${t("nav.recent.empty")}</p>`;
    return html`<ul class="plain" role="list" aria-label=${t("nav.recent.list")}>
        ${repeat(recent, (one) => one.peer, (one) => this.messageRow(one.peer, one.newest as ChatFrame, one.unread))}
      </ul>
      ${this.model.isRecentComplete
        ? nothing
        : html`<button class="small-button log-more" @click=${() => void this.model.loadRecent().catch(() => undefined)}>${t("nav.recent.more")}</button>`}`;
  }

  private foundMessages(): TemplateResult {
    const { messages } = this;
    return html`<h2 class="heading">${t("nav.messages")}</h2>
      ${messages === null || messages.length === 0
        ? html`<p class="empty" role="status">${messages === null ? nothing : t("nav.messages.none", { text: this.text })}</p>`
        : html`<ul class="plain" role="list" aria-label=${t("nav.messages")}>
            ${messages.map((chat) => this.messageRow(this.peerOf(chat), chat, 0))}
          </ul>`}`;
  }

  private peerOf(chat: ChatFrame): string {
    return chat.from === this.model.you ? chat.via || chat.to : chat.from;
  }

  private messageRow(peer: string, chat: ChatFrame, unread: number): TemplateResult {
    const person = this.model.person(peer);
    const isFound = this.found !== null;
    const isSelected = peer === this.selected && !isFound;
    const pick = (): void => {
      if (isFound) this.tell("open-history", { peer, id: chat.id, words: this.text.trim() });
      else this.tell("pick-chat", peer);
    };
    return html`<li>
      <button class="row ${isSelected ? "selected" : ""}" aria-current=${isSelected ? "true" : nothing} @click=${pick}>
        ${face(person, "m", this.model.photo(peer), this.model.statusOf(peer).status)}
        <span class="row-words">
          <span class="row-name ${unread ? "strong" : ""}"><span>${person.name}</span><time>${shortText(timeOf(chat.id))}</time></span>
          <small>${chat.from === this.model.you ? `${t("chat.you")}: ` : nothing}${excerpt(chat.body || chat.file?.name || "", isFound ? this.text : "")}</small>
        </span>
        ${unread ? html`<span class="badge" role="img" aria-label=${t("nav.unread", { count: unread })}>${unread}</span>` : nothing}
      </button>
    </li>`;
  }

  private show(isRecent: boolean): void {
    this.isRecent = isRecent;
    this.clear();
  }

  // -- search ----------------------------------------------------------------------------------------------------------

  private readonly typed = (event: Event): void => {
    this.text = (event.target as HTMLInputElement).value;
    clearTimeout(this.timer);
    if (this.text.trim() === "") this.clear();
    else {
      void this.searchPeople();
      this.timer = window.setTimeout(() => void this.searchMessages(), PAUSE_MS);
    }
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    clearTimeout(this.timer);
    if (this.text.trim() === "") return;
    void this.searchPeople();
    void this.searchMessages();
  };

  /** One question at a time; who types faster than answers come is answered for what stands there then. */
  private async searchPeople(): Promise<void> {
    if (this.isSearching) return;
    this.isSearching = true;
    let asked: string;
    do {
      asked = this.text;
      const { addresses, isComplete } = await this.model.find(asked).catch(() => NOBODY);
      if (this.text.trim() === "") break;
      if (this.found === null) this.messages = null;
      this.found = addresses;
      this.hasMore = !isComplete;
      this.scrollUp();
    } while (asked !== this.text);
    this.isSearching = false;
  }

  private async searchMessages(): Promise<void> {
    const text = this.text;
    const messages = await this.model.findMessages(text).catch(() => []);
    if (text === this.text) this.messages = messages;
  }

  private clear(): void {
    clearTimeout(this.timer);
    this.text = "";
    this.found = this.messages = null;
    this.scrollUp();
  }

  private scrollUp(): void {
    this.top = 0;
    this.querySelector(".nav-scroll")?.scrollTo(0, 0);
  }

  // -- keys ------------------------------------------------------------------------------------------------------------

  private readonly shortcut = (event: KeyboardEvent): void => {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    this.querySelector("input")?.focus();
  };

  private readonly searchKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.clear();
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    this.querySelector<HTMLElement>(".row")?.focus();
  };

  private readonly listKey = (event: KeyboardEvent): void => {
    const rows = [...this.querySelectorAll<HTMLElement>(".row")].sort(byPlace);
    if (event.key === "Home" || event.key === "End") return;
    if (rove(event, rows, "vertical", false) === null && event.key === "ArrowUp" && document.activeElement === rows[0]) {
      event.preventDefault();
      this.querySelector("input")?.focus();
    }
  };

  private readonly scrolled = (event: Event): void => {
    this.top = (event.target as HTMLElement).scrollTop;
  };
}

function byPlace(a: HTMLElement, b: HTMLElement): number {
  return a.getBoundingClientRect().top - b.getBoundingClientRect().top;
}

customElements.define("rookery-navigation", Navigation);
