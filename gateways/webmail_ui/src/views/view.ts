// What all views have in common: they are drawn into the page itself, and again when the model changes.

import { LitElement, type PropertyDeclarations } from "lit";
import type { Model } from "../model/model";

export class View extends LitElement {
  static override properties: PropertyDeclarations = { model: { attribute: false } };
  declare model: Model;
  private unsubscribe: (() => void) | null = null;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.unsubscribe = this.model.subscribe(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.unsubscribe?.();
  }

  /** Say something to the views around. */
  protected tell<T>(name: string, detail: T): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}
