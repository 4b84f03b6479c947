// A past conversation, read from the archive: the day of one message, and as much before and after as the person wants; with
// what was searched for marked, to print and to download.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { timeOf } from "../model/frames";
import type { Reader } from "../model/reader";
import { transcript } from "../model/transcript";
import { dayOf, fullDayText, startOfDay, t, timeText } from "../text/text";
import { face } from "./face";
import "./finder";
import { icons } from "./icons";
import { log } from "./log";
import { rove } from "./roving";
import { View } from "./view";

export class HistoryView extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    target: { attribute: false },
    words: { attribute: false },
    isAlone: { attribute: false },
    isFinding: { state: true },
  };
  declare peer: string;
  /** The id of a message of the day. */
  declare target: string;
  declare words: string;
  declare isAlone: boolean;
  declare isFinding: boolean;
  private reader: Reader | null = null;
  private opened = "";

  constructor() {
    super();
    this.peer = this.target = this.words = "";
    this.isAlone = this.isFinding = false;
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("words") && this.words) this.isFinding = true;
    const wanted = `${this.peer} ${this.target}`;
    if (this.opened !== wanted && this.target) {
      this.opened = wanted;
      void this.open(this.target);
    }
  }

  /** Read the day of a message, unless it is here, and show the message. */
  private async open(id: string): Promise<void> {
    if (this.reader?.peer !== this.peer || this.reader.rowOf(id) === undefined) {
      const reader = this.model.reader(this.peer);
      const day = dayOf(timeOf(id));
      this.reader = reader;
      const isPart = (other: string): boolean => this.reader === reader && dayOf(timeOf(other)) === day;
      await reader.open(startOfDay(timeOf(id)), isPart).catch(() => undefined);
      if (this.reader !== reader) return;
    }
    this.requestUpdate();
    await this.updateComplete;
    this.show(id);
  }

  protected override render(): TemplateResult {
    const person = this.model.person(this.peer);
    const messages = this.reader?.messages ?? [];
    const [first, last] = [messages[0], messages.at(-1)];
    const days = !first || !last ? "" : dayOf(first.at) === dayOf(last.at) ? fullDayText(first.at) : t("history.days", { from: fullDayText(first.at), to: fullDayText(last.at) });
    return html`<section class="chat history" aria-label=${t("history.label", { name: person.name })}>
      <header class="chat-head">
        ${this.isAlone ? nothing : this.button(t("contact.back"), icons.back, () => this.tell("close-chat", null), "narrow-only")}
        ${face(person, "m", this.model.photo(this.peer))}
        <div class="row-words"><h1 class="row-name">${person.name}</h1><small class="history-days">${days}</small></div>
        ${this.button(t("find.label"), icons.search, () => (this.isFinding = !this.isFinding))}
        ${this.button(t("history.print"), icons.print, () => print())}
        ${this.button(t("history.download"), icons.download, this.download)}
        ${this.isAlone ? nothing : this.button(t("history.close"), icons.close, () => this.tell("close-chat", null), "wide-only")}
      </header>
      ${this.isFinding
        ? html`<rookery-finder .model=${this.model} .peer=${this.peer} .words=${this.words} .shown=${this.target} @find-words=${this.mark}
            @find-go=${this.go} @find-close=${this.endFind}></rookery-finder>`
        : nothing}
      <div class="log" role="log" aria-label=${t("chat.log")} tabindex="0" @keydown=${this.key}>
        ${this.more(true)}
        ${log({ model: this.model, messages, search: this.isFinding ? this.words : "" })}
        ${this.more(false)}
      </div>
      <footer class="history-foot">
        <span>${t("history.note")}</span>
        <button class="small-button" @click=${() => this.tell("open-chat", this.peer)}>${t("history.chat")}</button>
      </footer>
    </section>`;
  }

  private button(label: string, icon: unknown, act: () => void, kind = ""): TemplateResult {
    return html`<button class="icon-button ${kind}" aria-label=${label} title=${label} @click=${act}>${icon}</button>`;
  }

  private more(isEarlier: boolean): TemplateResult | typeof nothing {
    const reader = this.reader;
    if (reader === null || reader.messages.length === 0) {
      return isEarlier ? html`<p class="log-note">${t(reader?.isLoading ? "chat.loading" : "preview.chat.none")}</p>` : nothing;
    }
    if (isEarlier ? reader.isStart : reader.isEnd) return html`<p class="log-note">${t(isEarlier ? "chat.start" : "history.end")}</p>`;
    return html`<button class="small-button log-more" @click=${() => this.read(reader, isEarlier)}>
      ${t(isEarlier ? "history.earlier" : "history.later")}</button>`;
  }

  private async read(reader: Reader, isEarlier: boolean): Promise<void> {
    const log = this.querySelector<HTMLElement>(".log");
    const below = log ? log.scrollHeight - log.scrollTop : 0;
    await (isEarlier ? reader.earlier() : reader.later()).catch(() => undefined);
    this.requestUpdate();
    await this.updateComplete;
    if (log && isEarlier) log.scrollTop = log.scrollHeight - below;
  }

  private show(id: string): void {
    const message = this.reader?.rowOf(id);
    const row = message && this.querySelector<HTMLElement>(`[data-key="${CSS.escape(message.key)}"]`);
    for (const one of this.querySelectorAll(".shown")) one.classList.remove("shown");
    if (!row) return;
    row.scrollIntoView({ block: "center" });
    if (this.words) row.classList.add("shown");
  }

  private readonly mark = (event: CustomEvent<string>): void => {
    this.words = event.detail;
  };

  private readonly go = (event: CustomEvent<string>): void => {
    void this.open(event.detail);
  };

  private readonly endFind = (): void => {
    this.isFinding = false;
    this.words = "";
  };

  private readonly key = (event: KeyboardEvent): void => {
    const rows = [...this.querySelectorAll<HTMLElement>(".message")];
    if (event.target === event.currentTarget && event.key === "ArrowDown") {
      event.preventDefault();
      rows[0]?.focus();
    } else rove(event, rows, "vertical", false);
  };

  private readonly download = (): void => {
    const messages = this.reader?.messages ?? [];
    const name = this.model.person(this.peer).name;
    const text = transcript(messages, (address) => this.model.person(address).name, { day: fullDayText, time: timeText });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    link.download = `${name} ${dayOf(messages[0]?.at ?? 0)}.txt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
}

customElements.define("rookery-history", HistoryView);
