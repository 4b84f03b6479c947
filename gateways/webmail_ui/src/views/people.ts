// The list of contacts: aliases, then people; or those that were found. Draws only the rows that can be seen, so that ten thousand
// contacts scroll as smoothly as ten. It lies in a pane that scrolls, which tells it where it is.

import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Person } from "../model/frames";
import { Rows } from "../model/rows";
import { t } from "../text/text";
import { face, presenceText } from "./face";
import { hits } from "./marked";
import { View } from "./view";

const ROW = 52;
const HEADING = 34;
/** Drawn above and below what is in sight, in pixels: what a quick turn of the wheel reaches. */
const BEYOND = 8 * ROW;

type Line = string | Person;

export class People extends View {
  static override properties: PropertyDeclarations = {
    ...View.properties,
    selected: { attribute: false },
    found: { attribute: false },
    search: { attribute: false },
    top: { attribute: false },
    height: { attribute: false },
  };
  declare selected: string;
  /** Addresses, best first; null: nothing was searched for. */
  declare found: string[] | null;
  declare search: string;
  /** Of the pane: how far it is scrolled, and how high it is. */
  declare top: number;
  declare height: number;
  private lines: Line[] = [];
  private rows = new Rows([]);
  private made: unknown[] = [];
  /** The row that has the focus stays drawn wherever the pane is scrolled to. */
  private focused = -1;

  constructor() {
    super();
    this.selected = this.search = "";
    this.found = null;
    this.top = 0;
    this.height = 600;
  }

  protected override willUpdate(): void {
    const from = [this.found, this.model.contacts];
    if (from.every((one, index) => one === this.made[index])) return;
    this.made = from;
    this.focused = -1;
    this.lines = this.found === null ? grouped(this.model.contacts) : this.foundPeople(this.found);
    this.rows = new Rows(this.lines.map((line) => (typeof line === "string" ? HEADING : ROW)));
  }

  protected override updated(_: PropertyValues): void {
    // The policy of the page forbids style attributes in markup; what scripts set is theirs.
    for (const element of this.querySelectorAll<HTMLElement>("[data-top]")) element.style.top = `${element.dataset["top"]}px`;
    const list = this.querySelector<HTMLElement>(".rows");
    if (list) list.style.height = `${this.rows.height}px`;
  }

  protected override render(): TemplateResult {
    if (this.lines.length === 0) {
      const words = this.found === null ? t("nav.empty") : t("nav.found.none", { text: this.search });
      return html`<p class="empty" role="status">${words}</p>`;
    }
    const [first, beyond] = this.rows.between(this.top - BEYOND, this.top + this.height + BEYOND);
    const drawn = Array.from({ length: beyond - first }, (_, index) => first + index);
    if (this.focused >= 0 && !drawn.includes(this.focused)) drawn.push(this.focused);
    const current = this.lines.findIndex((line) => typeof line !== "string" && line.address === this.selected);
    const stop = drawn.includes(current) ? current : drawn.find((index) => typeof this.lines[index] !== "string");
    return html`<ul class="rows" role="list" aria-label=${t("nav.contacts")} @focusin=${this.focusMoved} @focusout=${this.focusMoved}>
      ${repeat(
        drawn,
        (index) => keyOf(this.lines[index]),
        (index) => {
          const line = this.lines[index] ?? "";
          return typeof line === "string"
            ? html`<li class="heading" role="presentation" data-top=${this.rows.topOf(index)}>${line}</li>`
            : this.row(line, index, index === stop);
        },
      )}
    </ul>`;
  }

  private row(person: Person, index: number, isStop: boolean): TemplateResult {
    const { status, text } = this.model.statusOf(person.address);
    const unread = this.model.conversations.get(person.address)?.unread ?? 0;
    const isSelected = person.address === this.selected;
    const words = [person.name, presenceText(status), ...(unread ? [t("nav.unread", { count: unread })] : [])].join(", ");
    const second = text || (person.alias ? presenceText(status) : person.title || presenceText(status));
    return html`<li class="row-place" aria-label=${words} aria-setsize=${this.lines.length} aria-posinset=${index + 1}
      data-top=${this.rows.topOf(index)} data-index=${index}>
      <button class="row ${isSelected ? "selected" : ""}" aria-current=${isSelected ? "true" : nothing} tabindex=${isStop ? 0 : -1}
        @click=${() => this.tell("pick", person.address)} @dblclick=${() => this.tell("open-chat", person.address)}>
        ${face(person, "m", this.model.photo(person.address), status)}
        <span class="row-words"><span class="row-name ${unread ? "strong" : ""}"><span>${hits(person.name, this.search)}</span><span class="hidden">${presenceText(status)}</span></span>
          <small>${hits(second, this.search)}</small></span>
        ${unread ? html`<span class="badge">${unread}</span>` : nothing}
      </button>
    </li>`;
  }

  private foundPeople(found: string[]): Person[] {
    return found.flatMap((address) => this.model.people.find(address) ?? []).filter((person) => person.address !== this.model.you);
  }

  private readonly focusMoved = (event: FocusEvent): void => {
    const place = event.type === "focusin" ? (event.target as HTMLElement).closest<HTMLElement>("[data-index]") : null;
    this.focused = Number(place?.dataset["index"] ?? -1);
  };
}

function grouped(contacts: Person[]): Line[] {
  const lines: Line[] = [];
  for (const [heading, isAlias] of [["nav.aliases", true], ["nav.people", false]] as const) {
    const people = contacts.filter((person) => (person.alias ?? false) === isAlias);
    if (people.length > 0) lines.push(t(heading), ...people);
  }
  return lines;
}

function keyOf(line: Line | undefined): string {
  return typeof line === "object" ? line.address : `# ${line}`;
}

customElements.define("rookery-people", People);
