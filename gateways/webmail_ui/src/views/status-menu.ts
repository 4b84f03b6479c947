// The upper right corner: who one is, and the status with what each means.

import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { Status } from "../model/frames";
import { portrait } from "../portrait";
import { type Theme, notifications, preferences } from "../preferences";
import { t } from "../text/text";
import { dot, face } from "./face";
import { icons } from "./icons";
import { rove } from "./roving";
import { View } from "./view";

const STATUSES: Status[] = ["Available", "Away", "Busy", "Offline"];
const THEMES: Theme[] = ["auto", "light", "dark"];
/** Quiet hours to begin with. */
const QUIET: [string, string] = ["18:00", "08:00"];

export class StatusMenu extends View {
  static override properties: PropertyDeclarations = { ...View.properties, isOpen: { state: true }, isDenied: { state: true }, hasFailed: { state: true } };
  declare isOpen: boolean;
  declare isDenied: boolean;
  /** The picture that was chosen cannot be the own photo. */
  declare hasFailed: boolean;

  constructor() {
    super();
    this.isOpen = this.isDenied = this.hasFailed = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("pointerdown", this.outside);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("pointerdown", this.outside);
  }

  protected override render(): TemplateResult {
    const { me, status } = this.model;
    return html`<button class="status-button" aria-haspopup="menu" aria-expanded=${this.isOpen}
        aria-label=${t("status.button", { status: t(`status.${status}`) })} @click=${this.toggle} @keydown=${this.buttonKey}>
        ${face(me, "s", this.model.photo(me.address))}
        <span class="status-text">${dot(status)}<span>${t(`status.${status}`)}</span></span>
        ${icons.down}
      </button>
      ${this.isOpen ? this.menu() : nothing}`;
  }

  private menu(): TemplateResult {
    const { me, status, statusText } = this.model;
    return html`<div class="menu" @keydown=${this.key} @focusout=${this.left}>
      <div class="menu-head">
        ${face(me, "m", this.model.photo(me.address))}
        <span class="menu-words"><strong>${me.name}</strong><small>${me.address}</small></span>
        <button class="small-button" @click=${() => this.querySelector<HTMLElement>("input[type=file]")?.click()}>${t("status.photo")}</button>
        <input type="file" hidden accept="image/*" @change=${this.portray} />
      </div>
      ${this.hasFailed ? html`<p class="menu-problem" role="alert">${t("status.photo.failed")}</p>` : nothing}
      <div role="menu" aria-label=${t("status.menu")}>
        ${STATUSES.map(
          (one) => html`<div class="menu-item menu-status" role="none">
            ${dot(one)}
            <span class="menu-words"><button role="menuitem" tabindex="-1" aria-describedby="meaning-${one}"
                aria-current=${one === status ? "true" : nothing} @click=${() => this.choose(one)}>${t(`status.${one}`)}</button>
              <small id="meaning-${one}">${t(`status.${one}.meaning`)}</small></span>
            ${one === status ? icons.check : nothing}
          </div>`,
        )}
      </div>
      <label class="menu-field"><span class="hidden">${t("status.words")}</span>
        <input .value=${statusText} maxlength="120" placeholder=${t("status.words")} @change=${this.reword} /></label>
      <div class="menu-row">
        <span id="theme-label">${t("status.theme")}</span>
        <div class="segments" role="group" aria-labelledby="theme-label">
          ${THEMES.map(
            (theme) => html`<button aria-pressed=${preferences.theme === theme} @click=${() => this.paint(theme)}>
              ${t(`status.theme.${theme}`)}
            </button>`,
          )}
        </div>
      </div>
      <label class="menu-row menu-check wide-only"><input type="checkbox" .checked=${preferences.opensWindows}
        @change=${(event: Event) => (preferences.opensWindows = (event.target as HTMLInputElement).checked)} />
        <span>${t("status.window")}</span></label>
      <label class="menu-row menu-check"><input type="checkbox" .checked=${notifications.areOn} @change=${this.notify} />
        <span>${t("status.notify")}${this.isDenied ? html`<small role="status">${t("status.notify.denied")}</small>` : nothing}</span></label>
      <label class="menu-row menu-check"><input type="checkbox" .checked=${preferences.hasSound}
        @change=${(event: Event) => (preferences.hasSound = (event.target as HTMLInputElement).checked)} />
        <span>${t("status.sound")}</span></label>
      ${this.quiet()}
      <button class="menu-item menu-last" @click=${() => this.tell("sign-out", null)}>${t("status.signout")}</button>
    </div>`;
  }

  private quiet(): TemplateResult {
    const { quietFrom, quietTo } = preferences.quietHours;
    const set = (from: string, to: string): void => {
      preferences.quietHours = { quietFrom: from, quietTo: to };
      this.requestUpdate();
    };
    const field = (key: "status.quiet.from" | "status.quiet.to", value: string, change: (value: string) => void): TemplateResult =>
      html`<input type="time" required aria-label=${t(key)} .value=${value} @change=${(event: Event) => change((event.target as HTMLInputElement).value)} />`;
    return html`<div class="menu-row menu-check">
      <label class="menu-check"><input type="checkbox" .checked=${quietFrom !== ""}
        @change=${() => (quietFrom ? set("", "") : set(...QUIET))} /><span>${t("status.quiet")}</span></label>
      ${quietFrom
        ? html`<span class="quiet">${field("status.quiet.from", quietFrom, (from) => set(from, quietTo))}–${field("status.quiet.to", quietTo, (to) => set(quietFrom, to))}</span>`
        : nothing}
    </div>`;
  }

  private readonly outside = (event: PointerEvent): void => {
    if (this.isOpen && !this.contains(event.target as Node)) this.isOpen = false;
  };

  /** The focus went on to the rest of the page. */
  private readonly left = (event: FocusEvent): void => {
    if (event.relatedTarget !== null && !this.contains(event.relatedTarget as Node)) this.isOpen = false;
  };

  private readonly toggle = async (): Promise<void> => {
    this.isOpen = !this.isOpen;
    await this.updateComplete;
    this.items().find((item) => item.ariaCurrent === "true")?.focus();
  };

  private readonly buttonKey = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" && !this.isOpen) {
      event.preventDefault();
      void this.toggle();
    }
  };

  private readonly key = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.close();
    else if ((event.target as HTMLElement).role === "menuitem") rove(event, this.items());
  };

  private items(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>("[role=menuitem]")];
  }

  private choose(status: Status): void {
    this.model.setStatus(status, this.model.statusText);
    this.close();
  }

  private readonly portray = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    try {
      await this.model.setPhoto(await portrait(file));
      this.hasFailed = false;
    } catch {
      this.hasFailed = true;
    }
  };

  private readonly reword = (event: Event): void => {
    this.model.setStatus(this.model.status, (event.target as HTMLInputElement).value.trim());
  };

  private readonly notify = async (event: Event): Promise<void> => {
    const box = event.target as HTMLInputElement;
    this.isDenied = !(await notifications.turn(box.checked));
    if (this.isDenied) box.checked = false;
  };

  private paint(theme: Theme): void {
    preferences.theme = theme;
    this.requestUpdate();
  }

  private close(): void {
    this.isOpen = false;
    this.querySelector<HTMLElement>(".status-button")?.focus();
  }
}

customElements.define("rookery-status", StatusMenu);
