// The place to write: a message, an answer, a correction.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import type { Message } from "../model/conversation";
import type { Upload } from "../model/uploads";
import { en, type Key } from "../text/en";
import { bytesText, t } from "../text/text";
import { EMOJI } from "./emoji";
import { icons } from "./icons";
import { rove } from "./roving";
import { View } from "./view";

const TALLEST = 160;

export class Composer extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    peer: { attribute: false },
    answered: { state: true },
    edited: { state: true },
    showsEmoji: { state: true },
  };
  declare peer: string;
  declare answered: Message | null;
  declare edited: Message | null;
  declare showsEmoji: boolean;
  /** What was begun in other conversations. */
  private readonly begun = new Map<string, string>();

  constructor() {
    super();
    this.peer = "";
    this.answered = this.edited = null;
    this.showsEmoji = false;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.model.typing(this.peer, false);
  }

  /** Write an answer to a message, or correct one's own. */
  answer(message: Message): void {
    this.edited = null;
    this.answered = message;
  }

  correct(message: Message): void {
    this.answered = null;
    this.edited = message;
    this.put(message.body);
  }

  protected override willUpdate(changed: PropertyValues): void {
    const before = changed.get("peer") as string | undefined;
    if (!before) return;
    this.model.typing(before, false);
    if (this.box && this.edited === null) this.begun.set(before, this.box.value);
    this.answered = this.edited = null;
    this.showsEmoji = false;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.get("peer")) this.put(this.begun.get(this.peer) ?? "");
    const isAsked = (changed.has("answered") && this.answered !== null) || (changed.has("edited") && this.edited !== null);
    // On a phone the keyboard comes when it is called.
    if (isAsked || (changed.has("peer") && matchMedia("(pointer: fine)").matches)) this.box?.focus();
  }

  protected override render(): TemplateResult {
    const name = this.model.person(this.peer).name;
    const note = this.note(name);
    return html`<form class="composer" @submit=${this.submit}>
      ${this.about()} ${this.uploads()} ${this.showsEmoji ? this.emoji() : nothing}
      <div class="composer-row">
        <button type="button" class="icon-button" aria-label=${t("file.add")} title=${t("file.add")} @click=${this.choose}>${icons.clip}</button>
        <input type="file" hidden multiple @change=${this.chosen} />
        <button type="button" class="icon-button" aria-label=${t("chat.emoji")} aria-expanded=${this.showsEmoji}
          @click=${this.toggleEmoji}>${icons.emoji}</button>
        <textarea rows="1" aria-label=${t("chat.message")} placeholder=${t("chat.message.to", { name })} maxlength="50000"
          @input=${this.typed} @keydown=${this.key} @paste=${this.paste}></textarea>
        <button class="primary send" aria-label=${t("chat.send")}>${icons.send}</button>
      </div>
      ${note ? html`<p class="composer-note" role="status">${note}</p>` : nothing}
    </form>`;
  }

  private note(name: string): string {
    if (!this.model.isUp) return t("line.down");
    if (this.model.status === "Offline") return t("chat.offline");
    return this.model.statusOf(this.peer).status === "Offline" ? t("chat.unavailable", { name }) : "";
  }

  private about(): TemplateResult | typeof nothing {
    const message = this.edited ?? this.answered;
    if (message === null) return nothing;
    const name = message.isOwn ? t("chat.you") : this.model.person(message.from).name;
    return html`<div class="about"><span>${this.edited ? t("chat.editing") : t("chat.replying", { name })}</span><small>${message.body || message.file?.name}</small>
      <button type="button" class="icon-button" aria-label=${t("chat.cancel")} @click=${this.cancel}>${icons.close}</button></div>`;
  }

  private emoji(): TemplateResult {
    return html`<div class="emoji" role="group" aria-label=${t("chat.emoji")} @keydown=${this.emojiKey}>
      ${EMOJI.map((one, index) => html`<button type="button" tabindex=${index === 0 ? 0 : -1} @click=${() => this.insert(one)}>${one}</button>`)}
    </div>`;
  }

  private get box(): HTMLTextAreaElement | null {
    return this.querySelector("textarea");
  }

  private put(text: string): void {
    const box = this.box;
    if (box === null) return;
    box.value = text;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, TALLEST)}px`;
  }

  private readonly typed = (): void => {
    const box = this.box;
    if (box === null) return;
    this.put(box.value);
    this.model.typing(this.peer, box.value.trim() !== "" && this.edited === null);
  };

  private readonly key = (event: KeyboardEvent): void => {
    const box = event.target as HTMLTextAreaElement;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit(event);
    } else if (event.key === "Escape" && (this.answered || this.edited || this.showsEmoji)) {
      event.stopPropagation();
      if (this.answered || this.edited) this.cancel();
      this.showsEmoji = false;
    } else if (event.key === "ArrowUp" && box.value === "") {
      const last = this.model.conversation(this.peer).messages.findLast((m) => m.isOwn && m.id && m.body && !m.isRetracted);
      if (last) {
        event.preventDefault();
        this.correct(last);
      }
    }
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    const body = this.box?.value.trim() ?? "";
    if (body === "") return;
    if (this.edited) this.model.say(this.peer, body, { replaces: this.edited.origin });
    else if (this.answered) this.model.say(this.peer, body, { reply: this.answered.name, replyTo: this.answered.from });
    else this.model.say(this.peer, body);
    this.cancel();
    this.tell("said", null);
  };

  private readonly cancel = (): void => {
    this.answered = this.edited = null;
    this.showsEmoji = false;
    this.put("");
    this.box?.focus();
  };

  // -- files -----------------------------------------------------------------------------------------------------------

  private uploads(): TemplateResult | typeof nothing {
    const uploads = this.model.uploads.of(this.peer);
    if (uploads.length === 0) return nothing;
    return html`<ul class="uploads" aria-label=${t("file.uploads")}>
      ${uploads.map(
        (upload) => html`<li class=${upload.error ? "failed" : ""}>
          <span class="file-name">${upload.name}</span>
          ${upload.error
            ? html`<small role="alert">${uploadProblem(upload)}</small>`
            : html`<progress max=${upload.size} value=${upload.sent} aria-label=${upload.name}></progress>`}
          <button type="button" class="icon-button" aria-label=${t("file.remove", { name: upload.name })} @click=${() => this.model.uploads.remove(upload.key)}>
            ${icons.close}</button>
        </li>`,
      )}
    </ul>`;
  }

  private readonly choose = (): void => this.querySelector<HTMLElement>("input[type=file]")?.click();

  private readonly chosen = (event: Event): void => {
    const input = event.target as HTMLInputElement;
    this.model.uploads.add(this.peer, input.files ?? []);
    input.value = "";
    this.box?.focus();
  };

  private readonly paste = (event: ClipboardEvent): void => {
    const files = event.clipboardData?.files;
    if (!files?.length || event.clipboardData?.types.includes("text/plain")) return;
    event.preventDefault();
    this.model.uploads.add(this.peer, files);
  };

  // -- emoji -----------------------------------------------------------------------------------------------------------

  private readonly toggleEmoji = async (): Promise<void> => {
    this.showsEmoji = !this.showsEmoji;
    await this.updateComplete;
    this.querySelector<HTMLElement>(".emoji button")?.focus();
  };

  private readonly emojiKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.showsEmoji = false;
      this.box?.focus();
    } else rove(event, [...this.querySelectorAll<HTMLElement>(".emoji button")], "both");
  };

  private insert(text: string): void {
    const box = this.box;
    box?.setRangeText(text, box.selectionStart, box.selectionEnd, "end");
    box?.focus();
    this.typed();
  }
}

function uploadProblem({ error, limit }: Upload): string {
  if (error === "too-large" && limit) return t("file.too-large", { limit: bytesText(limit) });
  const key: Key = `file.${error}` as Key;
  return key in en ? t(key) : t("file.unavailable");
}

customElements.define("rookery-composer", Composer);
