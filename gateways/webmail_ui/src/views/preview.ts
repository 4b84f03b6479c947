// The right pane: what there was with the selected contact, in four tabs.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import type { Message } from "../model/conversation";
import { dayOf, shortDayText, t, timeText } from "../text/text";
import "./attachments";
import { rove } from "./roving";
import { View } from "./view";

const TABS = ["chat", "messages", "appointments", "attachments"] as const;
type Tab = (typeof TABS)[number];
const LINES = 3;

export class Preview extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    address: { attribute: false },
    tab: { state: true },
  };
  declare address: string;
  declare tab: Tab;

  constructor() {
    super();
    this.address = "";
    this.tab = "chat";
  }

  protected override willUpdate(_: PropertyValues): void {
    if (this.address && this.model.isUp) void this.model.load(this.address);
  }

  protected override render(): TemplateResult {
    return html`<div class="tabs" role="tablist" aria-label=${t("preview.label")} @keydown=${this.key}>
        ${TABS.map(
          (tab) => html`<button role="tab" id="tab-${tab}" aria-selected=${tab === this.tab} aria-controls="panel"
            tabindex=${tab === this.tab ? 0 : -1} @click=${() => (this.tab = tab)}>${t(`preview.${tab}`)}</button>`,
        )}
      </div>
      <div class="panel" id="panel" role="tabpanel" aria-labelledby="tab-${this.tab}" tabindex="0">${this.panel()}</div>`;
  }

  private panel(): TemplateResult {
    if (!this.address) return html`<p class="empty">${t("preview.nobody")}</p>`;
    if (this.tab === "chat") return this.days();
    if (this.tab === "attachments") return html`<rookery-attachments .model=${this.model} .peer=${this.address}></rookery-attachments>`;
    return html`<p class="empty">${t(`preview.${this.tab}.none`)}</p>`;
  }

  private days(): TemplateResult {
    const conversation = this.model.conversation(this.address);
    const messages = conversation.messages.filter((message) => message.body || message.file);
    if (messages.length === 0) return html`<p class="empty">${conversation.isLoaded ? t("preview.chat.none") : nothing}</p>`;
    const days = new Map<string, Message[]>();
    for (const message of messages) {
      const day = dayOf(message.at);
      const known = days.get(day);
      if (known) known.push(message);
      else days.set(day, [message]);
    }
    return html`<ul class="plain days">
        ${[...days.values()].reverse().map((of) => this.day(of))}
      </ul>
      ${conversation.isComplete
        ? nothing
        : html`<button class="small-button log-more" @click=${() => void this.model.load(this.address, true)}>${t("history.earlier")}</button>`}`;
  }

  private day(messages: Message[]): TemplateResult {
    const first = messages[0] as Message;
    const day = `day-${dayOf(first.at)}`;
    const count = messages.length === 1 ? t("preview.count.one") : t("preview.count", { count: messages.length });
    return html`<li class="day">
      <div class="day-head"><strong id=${day}>${shortDayText(first.at)}</strong><small>${count}</small>
        <button class="small-button" aria-describedby=${day}
          @click=${() => this.tell("open-history", { peer: this.address, id: first.id, words: "" })}>${t("preview.open")}</button></div>
      ${messages.slice(0, LINES).map(
        (message) => html`<p class="snippet"><time>${timeText(message.at)}</time>
          <span>${message.isOwn ? t("chat.you") : this.firstName(message.from)}:</span> ${message.body || message.file?.name}</p>`,
      )}
    </li>`;
  }

  private firstName(address: string): string {
    return this.model.person(address).name.split(" ")[0] ?? address;
  }

  private readonly key = (event: KeyboardEvent): void => {
    const tab = rove(event, [...this.querySelectorAll<HTMLElement>("[role=tab]")], "horizontal");
    if (tab) this.tab = tab.id.replace("tab-", "") as Tab;
  };
}

customElements.define("rookery-preview", Preview);
