// Find in a conversation: words, how many messages have them, and from one to the next. Tells `find-words` what to mark and
// `find-go` which message to show.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { t } from "../text/text";
import { icons } from "./icons";
import { View } from "./view";

/** After the last key; a search in the archive costs more than one among contacts. */
const PAUSE_MS = 150;
const MOST = 100;

export class Finder extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    words: { attribute: false },
    shown: { attribute: false },
    found: { state: true },
    at: { state: true },
  };
  declare peer: string;
  declare words: string;
  /** The id of the message that is shown to begin with. */
  declare shown: string;
  /** Ids of the messages, the oldest first; null: nothing was looked for. */
  declare found: string[] | null;
  declare at: number;
  private timer: number | undefined;

  constructor() {
    super();
    this.peer = this.words = this.shown = "";
    this.found = null;
    this.at = 0;
  }

  protected override firstUpdated(): void {
    this.querySelector("input")?.focus();
    if (this.words) void this.find(false);
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.get("peer")) this.found = null;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  protected override render(): TemplateResult {
    const count = this.found?.length ?? 0;
    const words = this.found === null ? "" : count === 0 ? t("find.none") : t("find.at", { at: this.at + 1, count });
    return html`<form class="finder" role="search" aria-label=${t("find.label")} @submit=${this.submit} @keydown=${this.key}>
      <input type="search" aria-label=${t("find.label")} placeholder=${t("find.label")} .value=${this.words} autocomplete="off"
        maxlength="256" @input=${this.typed} />
      <small role="status">${words || nothing}</small>
      <button type="button" class="icon-button" aria-label=${t("find.earlier")} title=${t("find.earlier")} ?disabled=${count < 2}
        @click=${() => this.step(-1)}>${icons.up}</button>
      <button type="button" class="icon-button" aria-label=${t("find.later")} title=${t("find.later")} ?disabled=${count < 2}
        @click=${() => this.step(1)}>${icons.down}</button>
      <button type="button" class="icon-button" aria-label=${t("find.close")} title=${t("find.close")}
        @click=${() => this.tell("find-close", null)}>${icons.close}</button>
    </form>`;
  }

  private readonly typed = (event: Event): void => {
    this.words = (event.target as HTMLInputElement).value;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.find(true), PAUSE_MS);
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    if (this.found?.length) this.step(-1);
    else void this.find(true);
  };

  private readonly key = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.tell("find-close", null);
  };

  /** `goes`: show the newest message that was found; otherwise the one that is shown stays. */
  private async find(goes: boolean): Promise<void> {
    const words = this.words.trim();
    this.tell("find-words", words);
    if (!words) {
      this.found = null;
      return;
    }
    const found = await this.model.findMessages(words, this.peer, MOST).catch(() => []);
    if (words !== this.words.trim()) return;
    this.found = found.map((chat) => chat.id).reverse();
    const at = goes ? -1 : this.found.indexOf(this.shown);
    this.at = at >= 0 ? at : Math.max(0, this.found.length - 1);
    if (goes) this.go();
  }

  private step(by: number): void {
    const count = this.found?.length ?? 0;
    if (count === 0) return;
    this.at = (this.at + by + count) % count;
    this.go();
  }

  private go(): void {
    const id = this.found?.[this.at];
    if (id) this.tell("find-go", id);
  }
}

customElements.define("rookery-finder", Finder);
