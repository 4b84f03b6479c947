// The whole page: the login, or the three panes, or one conversation in a window of its own.

import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { ChatFrame } from "../model/frames";
import { Idle } from "../model/idle";
import { Model } from "../model/model";
import type { Line } from "../model/socket";
import { notifications, preferences, store } from "../preferences";
import { t } from "../text/text";
import "./chat";
import type { ChatView } from "./chat";
import "./contact";
import "./login";
import "./navigation";
import "./preview";
import "./status-menu";

/** How often it is looked whether the person is still there. */
const LOOK_MS = 15_000;

type Phase = "starting" | "login" | "chat";

export class App extends LitElement {
  static override properties: PropertyDeclarations = {
    phase: { state: true },
    selected: { state: true },
    chat: { state: true },
    target: { state: true },
  };
  declare phase: Phase;
  declare selected: string;
  /** The peer of the conversation that is open in this page; empty: none. */
  declare chat: string;
  declare target: string;
  private model: Model | null = null;
  private idle: Idle | null = null;
  /** Of a window that shows one conversation and nothing else. */
  private readonly alone = new URLSearchParams(location.search).get("chat") ?? "";

  constructor() {
    super();
    this.phase = "starting";
    this.selected = this.target = "";
    this.chat = this.alone;
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    for (const event of ["pointermove", "pointerdown", "keydown", "wheel"]) {
      document.addEventListener(event, () => this.idle?.touch(), { passive: true });
    }
    window.setInterval(() => this.idle?.look(), LOOK_MS);
    this.start();
  }

  protected override render(): TemplateResult {
    const model = this.model;
    if (this.phase === "login") return html`<rookery-login @signed-in=${this.start}></rookery-login>`;
    if (model === null || !model.isReady) return html`<p class="starting" role="status">${t("line.connecting")}</p>`;
    if (this.alone) {
      return html`<main class="alone"><rookery-chat .model=${model} .peer=${this.alone} .isAlone=${true}></rookery-chat></main>`;
    }
    const depth = this.chat ? "chat" : this.selected ? "contact" : "list";
    return html`<div class="page depth-${depth}"
      @pick=${this.pick} @pick-chat=${this.pickChat} @open-chat=${this.openChat} @open-panel=${this.openPanel}
      @open-window=${this.openWindow} @open-message=${this.openMessage} @close-chat=${this.closeChat} @back=${this.back}
      @sign-out=${this.signOut}>
      <header class="bar">
        <img src="/icon.svg" alt="" width="26" height="26" /><h1 class="brand">${t("app.name")}</h1>
        <span class="line" role="status">${model.isUp ? nothing : t("line.down")}</span>
        <rookery-status .model=${model}></rookery-status>
      </header>
      <main class="panes">
      <nav class="pane nav" aria-label=${t("nav.label")}>
        <rookery-navigation .model=${model} .selected=${this.selected}></rookery-navigation>
      </nav>
      <section class="pane content" aria-label=${t("contact.toolbar")}>
        ${this.chat
          ? html`<rookery-chat .model=${model} .peer=${this.chat} .target=${this.target}></rookery-chat>`
          : html`<rookery-contact .model=${model} .address=${this.selected}></rookery-contact>`}
      </section>
      <aside class="pane preview" aria-label=${t("preview.label")}>
        <rookery-preview .model=${model} .address=${this.selected}></rookery-preview>
      </aside>
      </main>
    </div>`;
  }

  // -- the model -------------------------------------------------------------------------------------------------------

  private readonly start = (): void => {
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    const model = new Model({
      connect: () => new WebSocket(url) as unknown as Line,
      timers: {
        set: (callback, milliseconds) => window.setTimeout(callback, milliseconds),
        clear: (timer) => window.clearTimeout(timer),
        random: Math.random,
      },
      store,
      now: Date.now,
      newId,
      isLookedAt: (peer) => {
        const view = this.querySelector<ChatView>("rookery-chat");
        return view !== null && view.peer === peer && view.isLookedAt;
      },
      arrived: (chat) => this.arrived(chat),
      ended: (reason) => this.ended(reason),
    });
    this.model = model;
    this.phase = "chat";
    let wasReady = false;
    model.subscribe(() => {
      this.entitle();
      if (wasReady !== model.isReady) {
        wasReady = model.isReady;
        this.requestUpdate();
      } else if (this.querySelector(".line")?.textContent?.trim() === "" !== model.isUp) this.requestUpdate();
    });
    this.idle = new Idle({
      now: Date.now,
      touched: { get: () => Number(store.get("touched") ?? 0), set: (at) => store.set("touched", String(at)) },
      status: () => model.status,
      show: (status) => model.showStatus(status),
    });
    model.start();
  };

  private ended(reason: string): void {
    this.model?.stop();
    if (reason === "signed-out") {
      this.model = null;
      this.selected = "";
      this.chat = this.alone;
      this.phase = "login";
      document.title = t("app.name");
    } else if (reason === "reload") location.reload();
  }

  private readonly signOut = async (): Promise<void> => {
    try {
      await fetch("/api/logout", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
      this.ended("signed-out");
    } catch {
      // not reached: the person is still signed in, and sees so
    }
  };

  private readonly hurry = (): void => {
    if (document.visibilityState === "visible") this.model?.hurry();
  };

  /** Somebody wrote and the person does not look: say so on the desktop, if that is wished; the newest of each sender. */
  private arrived(chat: ChatFrame): void {
    const model = this.model;
    if (model === null || model.status === "Busy" || !notifications.areOn || document.hasFocus() || this.alone) return;
    const person = model.person(chat.from);
    const shown = new Notification(person.name, { body: chat.body ?? "", tag: chat.from, icon: "/icon.svg" });
    shown.onclick = () => {
      window.focus();
      this.selected = this.chat = chat.from;
      shown.close();
    };
  }

  private entitle(): void {
    const model = this.model;
    if (model === null) return;
    const name = this.alone ? model.person(this.alone).name : t("app.name");
    document.title = model.unread > 0 ? `(${model.unread}) ${name}` : name;
  }

  // -- where one goes --------------------------------------------------------------------------------------------------

  private readonly pick = (event: CustomEvent<string>): void => {
    this.selected = event.detail;
    if (this.chat) this.chat = event.detail;
    this.target = "";
  };

  private readonly pickChat = (event: CustomEvent<{ peer: string }>): void => {
    this.selected = this.chat = event.detail.peer;
    this.target = "";
  };

  private readonly openChat = (event: CustomEvent<string>): void => {
    const isWide = matchMedia("(min-width: 720px)").matches;
    if (!isWide || !preferences.opensWindows || !this.popUp(event.detail)) this.openPanel(event);
  };

  private readonly openPanel = (event: CustomEvent<string>): void => {
    this.selected = this.chat = event.detail;
    this.target = "";
  };

  private readonly openWindow = (event: CustomEvent<string>): void => {
    if (this.popUp(event.detail)) this.chat = "";
  };

  private readonly openMessage = (event: CustomEvent<{ peer: string; id: string }>): void => {
    this.selected = this.chat = event.detail.peer;
    this.target = event.detail.id;
  };

  private readonly closeChat = (): void => {
    this.chat = "";
  };

  private readonly back = (): void => {
    this.selected = this.chat = "";
  };

  private popUp(peer: string): boolean {
    const opened = window.open(`/?chat=${encodeURIComponent(peer)}`, `rookery ${peer}`, "popup,width=460,height=680");
    opened?.focus();
    return opened !== null;
  }
}

function newId(): string {
  // Not crypto.randomUUID: a page over plain http, of a server in one's own house, has none.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

customElements.define("rookery-app", App);
