// The middle pane: who the selected contact is, and the way to a chat.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import type { Person } from "../model/frames";
import { t } from "../text/text";
import { face, presenceText, statusLine } from "./face";
import { icons } from "./icons";
import { start } from "./start";
import { View } from "./view";

/** How long a status lasts is said in minutes. */
const LOOK_MS = 20_000;

export class ContactView extends View {
  static override properties: PropertyDeclarations = { ...View.properties, address: { attribute: false } };
  declare address: string;
  private timer: number | undefined;

  constructor() {
    super();
    this.address = "";
  }

  protected override render(): TemplateResult {
    if (!this.address) return start(this.model, (peer) => this.tell("pick-chat", peer));
    const person = this.model.person(this.address);
    return html`<div class="toolbar" role="toolbar" aria-label=${t("contact.toolbar")}>
        <button class="icon-button narrow-only" aria-label=${t("contact.back")} @click=${() => this.tell("back", null)}>
          ${icons.back}</button>
        <button class="primary" @click=${() => this.tell("open-chat", this.address)}>${icons.chat}<span>${t("contact.chat")}</span></button>
        <button class="icon-button wide-only" aria-label=${t("contact.here")} title=${t("contact.here")}
          @click=${() => this.tell("open-panel", this.address)}>${icons.pane}</button>
        <a class="icon-button" href="mailto:${encodeURI(this.address)}" aria-label=${t("contact.mail")} title=${t("contact.mail")}>
          ${icons.mail}</a>
      </div>
      <div class="card">
        <div class="card-head">
          ${face(person, "l", this.model.photo(this.address))}
          <div>
            <h1>${person.name}</h1>
            <p class="card-role">${this.role_(person)}</p>
            ${statusLine(this.model, this.address)}
          </div>
        </div>
        <dl class="details">
          ${this.detail("contact.address", person.address)}
          ${this.detail("contact.phone", person.phone && html`<a href="tel:${person.phone.replace(/[^+\d]/g, "")}">${person.phone}</a>`)}
          ${this.detail("contact.title", person.title)} ${this.detail("contact.department", person.department)}
        </dl>
        ${person.alias ? this.members(person) : nothing}
      </div>`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = window.setInterval(() => this.requestUpdate(), LOOK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("address") && this.address) this.model.refreshPhoto(this.address);
  }

  private role_(person: Person): string {
    if (person.alias) return t("contact.alias.hint");
    return [person.title, person.department].filter(Boolean).join(" · ");
  }

  private detail(key: "contact.address" | "contact.phone" | "contact.title" | "contact.department", value?: string | TemplateResult): TemplateResult | typeof nothing {
    return value ? html`<div><dt>${t(key)}</dt><dd>${value}</dd></div>` : nothing;
  }

  private members(alias: Person): TemplateResult {
    return html`<h2>${t("contact.members")}</h2>
      <ul class="members">
        ${(alias.members ?? []).map((address) => {
          const member = this.model.person(address);
          const { status } = address === this.model.you ? this.model : this.model.statusOf(address);
          const content = html`${face(member, "s", this.model.photo(address), status)}<span>${member.name}</span>
            <small>${address === this.model.you ? t("chat.you") : presenceText(status)}</small>`;
          return html`<li>${address === this.model.you
            ? html`<span class="member">${content}</span>`
            : html`<button class="member" @click=${() => this.tell("pick", address)}>${content}</button>`}</li>`;
        })}
      </ul>`;
  }
}

customElements.define("rookery-contact", ContactView);
