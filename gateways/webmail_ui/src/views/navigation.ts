// The left pane: search, contacts (aliases on top), recent conversations. Draws only the rows that can be seen, so that ten
// thousand contacts scroll as smoothly as ten.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { ChatFrame, Person } from "../model/frames";
import { timeOf } from "../model/frames";
import { shortText, t } from "../text/text";
import { face, presenceText } from "./face";
import { icons } from "./icons";
import { View } from "./view";

const ROW = 52;
const HEADING = 34;
const BEYOND = 8;
const SEARCH_MS = 120;

type Line = { kind: "heading"; text: string } | { kind: "person"; person: Person };

export class Navigation extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    selected: { attribute: false },
    isRecent: { state: true },
    text: { state: true },
    found: { state: true },
    messages: { state: true },
    top: { state: true },
  };
  declare selected: string;
  declare isRecent: boolean;
  declare text: string;
  declare found: string[] | null;
  declare messages: ChatFrame[] | null;
  declare top: number;
  private height = 600;
  private timer: number | undefined;
  private readonly observer = new ResizeObserver(([entry]) => {
    this.height = entry?.contentRect.height ?? 600;
    this.requestUpdate();
  });

  constructor() {
    super();
    this.selected = "";
    this.isRecent = false;
    this.text = "";
    this.found = this.messages = null;
    this.top = 0;
  }

  protected override firstUpdated(): void {
    const pane = this.querySelector(".nav-scroll");
    if (pane) this.observer.observe(pane);
  }

  protected override updated(_: PropertyValues): void {
    // The policy of the page forbids style attributes in markup; what scripts set is theirs.
    for (const element of this.querySelectorAll<HTMLElement>("[data-top]")) element.style.top = `${element.dataset["top"]}px`;
    const list = this.querySelector<HTMLElement>("[data-height]");
    if (list) list.style.height = `${list.dataset["height"]}px`;
  }

  protected override render(): TemplateResult {
    const unread = this.model.unread;
    return html`<form class="search" role="search" @submit=${this.submit}>
        <input type="search" aria-label=${t("nav.search")} placeholder=${t("nav.search")} .value=${this.text}
          autocomplete="off" @input=${this.typed} @keydown=${this.searchKey} />
        <button class="icon-button" aria-label=${t("nav.search.submit")}>${icons.search}</button>
      </form>
      <div class="segments nav-segments" role="group" aria-label=${t("nav.label")}>
        <button aria-pressed=${!this.isRecent} @click=${() => this.show(false)}>${t("nav.contacts")}</button>
        <button aria-pressed=${this.isRecent} @click=${() => this.show(true)}>
          ${t("nav.recent")}${unread ? html`<span class="badge">${unread}</span>` : nothing}
        </button>
      </div>
      <div class="nav-scroll" @scroll=${this.scrolled} @keydown=${this.listKey}>
        ${this.isRecent && this.found === null ? this.recent() : this.contacts()}
        ${this.found !== null ? this.foundMessages() : nothing}
      </div>`;
  }

  // -- contacts --------------------------------------------------------------------------------------------------------

  private lines(): Line[] {
    if (this.found !== null) {
      return this.found.flatMap((address): Line[] => {
        const person = this.model.people.get(address);
        return person && address !== this.model.you ? [{ kind: "person", person }] : [];
      });
    }
    const contacts = this.model.contacts;
    const firstPerson = contacts.findIndex((person) => !person.alias);
    const aliases = firstPerson < 0 ? contacts : contacts.slice(0, firstPerson);
    const people = firstPerson < 0 ? [] : contacts.slice(firstPerson);
    const line = (person: Person): Line => ({ kind: "person", person });
    return [
      ...(aliases.length > 0 ? [{ kind: "heading" as const, text: t("nav.aliases") }, ...aliases.map(line)] : []),
      ...(people.length > 0 ? [{ kind: "heading" as const, text: t("nav.people") }, ...people.map(line)] : []),
    ];
  }

  private contacts(): TemplateResult {
    const lines = this.lines();
    if (lines.length === 0) {
      const words = this.found === null ? t("nav.empty") : t("nav.found.none", { text: this.text });
      return html`<p class="empty" role="status">${this.model.isReady ? words : t("line.connecting")}</p>`;
    }
    let top = 0;
    const placed = lines.map((line) => {
      const at = top;
      top += line.kind === "heading" ? HEADING : ROW;
      return { line, at };
    });
    const from = this.top - BEYOND * ROW;
    const to = this.top + this.height + BEYOND * ROW;
    const visible = placed.filter(({ at }) => at >= from && at <= to);
    return html`<ul class="rows" role="list" aria-label=${t("nav.contacts")} data-height=${top}>
      ${repeat(
        visible,
        ({ line }) => (line.kind === "heading" ? `# ${line.text}` : line.person.address),
        ({ line, at }) =>
          line.kind === "heading"
            ? html`<li class="heading" role="presentation" data-top=${at}>${line.text}</li>`
            : this.row(line.person, at),
      )}
    </ul>`;
  }

  private row(person: Person, at: number): TemplateResult {
    const { status, text } = this.model.statusOf(person.address);
    const unread = this.model.conversations.get(person.address)?.unread ?? 0;
    const isSelected = person.address === this.selected;
    const words = [person.name, presenceText(status), ...(unread ? [t("nav.unread", { count: unread })] : [])].join(", ");
    const second = text || (person.alias ? presenceText(status) : person.title || presenceText(status));
    return html`<li class="row-place" aria-label=${words} data-top=${at}>
      <button class="row ${isSelected ? "selected" : ""}" aria-current=${isSelected ? "true" : nothing}
        tabindex=${isSelected || (!this.selected && at <= HEADING) ? 0 : -1} data-address=${person.address}
        @click=${() => this.tell("pick", person.address)} @dblclick=${() => this.tell("open-chat", person.address)}>
        ${face(person, "m", undefined, status)}
        <span class="row-words"><span class="row-name">${person.name}<span class="hidden">${presenceText(status)}</span></span>
          <small>${second}</small></span>
        ${unread ? html`<span class="badge">${unread}</span>` : nothing}
      </button>
    </li>`;
  }

  // -- conversations ---------------------------------------------------------------------------------------------------

  private recent(): TemplateResult {
    const recent = this.model.recent;
    if (recent.length === 0) return html`<p class="empty">${t("nav.recent.empty")}</p>`;
    return html`<ul class="plain" role="list" aria-label=${t("nav.recent.list")}>
      ${repeat(recent.slice(0, 100), (one) => one.peer, (one) => this.messageRow(one.peer, one.newest as ChatFrame, one.unread))}
    </ul>`;
  }

  private foundMessages(): TemplateResult {
    const messages = this.messages ?? [];
    return html`<h2 class="heading">${t("nav.messages")}</h2>
      ${messages.length === 0
        ? html`<p class="empty" role="status">${this.messages === null ? nothing : t("nav.messages.none", { text: this.text })}</p>`
        : html`<ul class="plain" role="list" aria-label=${t("nav.messages")}>
            ${messages.map((chat) => this.messageRow(this.peerOf(chat), chat, 0))}
          </ul>`}`;
  }

  private peerOf(chat: ChatFrame): string {
    return chat.from === this.model.you ? chat.via || chat.to : chat.from;
  }

  private messageRow(peer: string, chat: ChatFrame, unread: number): TemplateResult {
    const person = this.model.person(peer);
    const { status } = this.model.statusOf(peer);
    const isOwn = chat.from === this.model.you;
    const isSelected = peer === this.selected && this.found === null;
    return html`<li>
      <button class="row ${isSelected ? "selected" : ""}" aria-current=${isSelected ? "true" : nothing}
        @click=${() => this.tell(this.found === null ? "pick-chat" : "open-message", { peer, id: chat.id })}>
        ${face(person, "m", undefined, status)}
        <span class="row-words">
          <span class="row-name ${unread ? "strong" : ""}">${person.name}<time>${shortText(timeOf(chat.id))}</time></span>
          <small>${isOwn ? `${t("chat.you")}: ` : nothing}${chat.body ?? ""}</small>
        </span>
        ${unread ? html`<span class="badge" aria-label=${t("nav.unread", { count: unread })}>${unread}</span>` : nothing}
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
    else this.timer = setTimeout(() => void this.search(), SEARCH_MS);
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    clearTimeout(this.timer);
    if (this.text.trim()) void this.search();
  };

  private async search(): Promise<void> {
    const text = this.text;
    const people = this.model.find(text).catch(() => []);
    const messages = this.model.findMessages(text).catch(() => []);
    const found = await people;
    if (text === this.text) {
      this.found = found;
      this.scrollUp();
    }
    const matches = await messages;
    if (text === this.text) this.messages = matches;
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

  private readonly searchKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.clear();
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.querySelector<HTMLElement>(".row")?.focus();
    }
  };

  private readonly listKey = (event: KeyboardEvent): void => {
    const rows = [...this.querySelectorAll<HTMLElement>(".row")];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (at < 0 || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    event.preventDefault();
    const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) next.focus();
    else if (event.key === "ArrowUp") this.querySelector<HTMLElement>("input")?.focus();
  };

  private readonly scrolled = (event: Event): void => {
    this.top = (event.target as HTMLElement).scrollTop;
  };
}

customElements.define("rookery-navigation", Navigation);
