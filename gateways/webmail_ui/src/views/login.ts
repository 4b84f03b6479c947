// The login: an address, a password, and what was wrong with them.

import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { Key } from "../text/en";
import { t } from "../text/text";

export class LoginView extends LitElement {
  static override properties: PropertyDeclarations = { problem: { state: true }, isBusy: { state: true } };
  declare problem: Key | null;
  declare isBusy: boolean;

  constructor() {
    super();
    this.problem = null;
    this.isBusy = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  protected override firstUpdated(): void {
    this.querySelector("input")?.focus();
  }

  protected override render(): TemplateResult {
    return html`<main class="login">
      <form class="login-card" @submit=${this.submit}>
        <img class="login-mark" src="/icon.svg" alt="" width="44" height="44" />
        <h1>${t("login.title")}</h1>
        <label>${t("login.address")}
          <input name="address" autocomplete="username" autocapitalize="none" spellcheck="false" required
            placeholder=${t("login.address.hint")} aria-describedby="login-problem" />
        </label>
        <label>${t("login.password")}
          <input name="password" type="password" autocomplete="current-password" required aria-describedby="login-problem" />
        </label>
        <p id="login-problem" class="problem" role="alert">${this.problem ? t(this.problem) : nothing}</p>
        <button class="primary" ?disabled=${this.isBusy}>${t(this.isBusy ? "login.busy" : "login.submit")}</button>
      </form>
    </main>`;
  }

  private readonly submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.target as HTMLFormElement);
    this.isBusy = true;
    this.problem = null;
    try {
      const answer = await fetch("/api/login", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ address: fields.get("address"), password: fields.get("password") }),
      });
      if (answer.ok) this.dispatchEvent(new CustomEvent("signed-in", { bubbles: true }));
      else this.problem = answer.status === 401 ? "login.wrong" : "login.unavailable";
    } catch {
      this.problem = "login.unavailable";
    } finally {
      this.isBusy = false;
    }
  };
}

customElements.define("rookery-login", LoginView);
