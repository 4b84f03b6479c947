// The files of a conversation, the newest first.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import type { ChatFrame } from "../model/frames";
import { timeOf } from "../model/frames";
import { shortDayText, t } from "../text/text";
import { fileCard } from "./file";
import { View } from "./view";

export class Attachments extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    chats: { state: true },
    isComplete: { state: true },
  };
  declare peer: string;
  /** null: not here yet. */
  declare chats: ChatFrame[] | null;
  declare isComplete: boolean;
  private read = "";

  constructor() {
    super();
    this.peer = "";
    this.chats = null;
    this.isComplete = false;
  }

  protected override willUpdate(_: PropertyValues): void {
    const newest = this.model.conversation(this.peer).messages.findLast((message) => message.file && message.id);
    const current = `${this.peer} ${newest?.id ?? ""}`;
    if (current === this.read || !this.model.isUp) return;
    this.read = current;
    this.chats = null;
    void this.more();
  }

  protected override render(): TemplateResult {
    if (this.chats === null) return html`<p class="empty">${nothing}</p>`;
    if (this.chats.length === 0) return html`<p class="empty">${t("preview.attachments.none")}</p>`;
    return html`<ul class="plain files" aria-label=${t("preview.attachments")}>
        ${this.chats.map((chat) => html`<li>${chat.file ? fileCard(chat.file, ` · ${this.about(chat)}`) : nothing}</li>`)}
      </ul>
      ${this.isComplete ? nothing : html`<button class="small-button log-more" @click=${() => void this.more()}>${t("history.earlier")}</button>`}`;
  }

  private about(chat: ChatFrame): string {
    const name = chat.from === this.model.you ? t("chat.you") : this.model.person(chat.from).name;
    return `${name}, ${shortDayText(timeOf(chat.id))}`;
  }

  private async more(): Promise<void> {
    const wanted = this.read;
    const page = await this.model.findFiles(this.peer, this.chats?.at(-1)?.id ?? "").catch(() => ({ chats: [], isComplete: true }));
    if (wanted !== this.read) return;
    this.chats = [...(this.chats ?? []), ...page.chats];
    this.isComplete = page.isComplete;
  }
}

customElements.define("rookery-attachments", Attachments);
