// The whole page: the login, or the three panes, or one conversation in a window of its own.

import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { Alerting } from "../alerting";
import { carry } from "../carrier";
import { Idle } from "../model/idle";
import { Model } from "../model/model";
import { hashOf, type Place, type Spot, spotOf } from "../model/place";
import type { Line } from "../model/socket";
import { preferences, store } from "../preferences";
import { t } from "../text/text";
import "./chat";
import type { ChatView } from "./chat";
import "./contact";
import "./history";
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
    place: { state: true },
  };
  declare phase: Phase;
  declare selected: string;
  /** null: the details of the contact that is selected. */
  declare place: Place | null;
  private model: Model | null = null;
  private idle: Idle | null = null;
  /** Of a window that shows this and nothing else. */
  private readonly alone = new URLSearchParams(location.search).has("window") ? spotOf(location.hash).place : null;
  private readonly alerting = new Alerting(this.alone === null, (peer) => this.go("chat", { peer }));

  constructor() {
    super();
    this.phase = "starting";
    const { selected, place } = spotOf(location.hash);
    this.selected = selected;
    this.place = place;
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
    window.addEventListener("hashchange", this.returned);
    window.addEventListener("popstate", this.returned);
    store.listen((key, value) => this.model?.keptChanged(key, value));
    for (const [name, handle] of Object.entries(this.handlers)) {
      this.addEventListener(name, (event) => handle((event as CustomEvent<never>).detail));
    }
    this.start();
  }

  protected override render(): TemplateResult {
    const model = this.model;
    if (this.phase === "login") return html`<rookery-login></rookery-login>`;
    if (model === null || !model.isReady) return html`<p class="starting" role="status">${t("line.connecting")}</p>`;
    if (this.alone) return html`<main class="alone">${this.shown(model, this.alone)}</main>`;
    const depth = this.place ? "chat" : this.selected ? "contact" : "list";
    return html`<div class="page depth-${depth}">
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
          ${this.place ? this.shown(model, this.place) : html`<rookery-contact .model=${model} .address=${this.selected}></rookery-contact>`}
        </section>
        <aside class="pane preview" aria-label=${t("preview.label")}>
          <rookery-preview .model=${model} .address=${this.selected}></rookery-preview>
        </aside>
      </main>
    </div>`;
  }

  private shown(model: Model, place: Place): TemplateResult {
    const isAlone = this.alone !== null;
    return place.kind === "chat"
      ? html`<rookery-chat .model=${model} .peer=${place.peer} .isAlone=${isAlone}></rookery-chat>`
      : html`<rookery-history .model=${model} .peer=${place.peer} .target=${place.id} .words=${place.words} .isAlone=${isAlone}></rookery-history>`;
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
      carry,
      isLookedAt: (peer) => {
        const view = this.querySelector<ChatView>("rookery-chat");
        return view !== null && view.peer === peer && view.isLookedAt;
      },
      arrived: (chat) => this.alerting.arrived(model, chat),
      ended: (reason) => this.ended(reason),
    });
    this.model = model;
    this.phase = "chat";
    let shown = "";
    model.subscribe(() => {
      this.entitle();
      const now = `${model.isReady} ${model.isUp}`;
      if (shown !== now) this.requestUpdate();
      shown = now;
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
      if (this.alone === null) this.show({ selected: "", place: null }, true);
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

  private entitle(): void {
    const model = this.model;
    if (model === null) return;
    const name = this.alone ? model.person(this.alone.peer).name : t("app.name");
    const unread = this.alone ? model.conversation(this.alone.peer).unread : model.unread;
    document.title = unread > 0 ? `(${unread}) ${name}` : name;
  }

  // -- where one goes --------------------------------------------------------------------------------------------------

  /** What views ask for; see `View.tell`. */
  private readonly handlers: Record<string, (detail: never) => void> = {
    "signed-in": this.start,
    "sign-out": () => void this.signOut(),
    pick: (address: string) => {
      this.show({ selected: address, place: this.place?.kind === "chat" ? { ...this.place, peer: address } : null });
    },
    "pick-chat": (peer: string) => this.go("chat", { peer }),
    "open-panel": (peer: string) => this.go("chat", { peer }),
    "open-window": (peer: string) => {
      if (popUp({ kind: "chat", peer, id: "", words: "" })) this.show({ selected: peer, place: null }, true);
    },
    "open-chat": (peer: string) => this.open("chat", { peer }),
    "open-history": (at: Omit<Place, "kind">) => this.open("history", at),
    "close-chat": () => this.show({ selected: this.selected, place: null }, true),
    back: () => this.show({ selected: "", place: null }, true),
  };

  /** `isReturn`: that is no step for the browser's back button to take back. */
  private show(spot: Spot, isReturn = false): void {
    this.selected = spot.selected;
    this.place = spot.place;
    const url = hashOf(spot) || location.pathname;
    if (isReturn) history.replaceState(null, "", url);
    else if (hashOf(spot) !== location.hash) history.pushState(null, "", url);
  }

  private readonly returned = (): void => {
    if (this.alone) location.reload();
    const { selected, place } = spotOf(location.hash);
    this.selected = selected;
    this.place = place;
  };

  private go(kind: Place["kind"], at: Partial<Place> & { peer: string }): void {
    const place = { id: "", words: "", ...at, kind };
    if (this.alone === null) this.show({ selected: at.peer, place });
    else location.hash = hashOf({ selected: at.peer, place });
  }

  /** In a window of its own, if there is room and the person wants it and the browser lets us; otherwise here. */
  private open(kind: Place["kind"], at: Partial<Place> & { peer: string }): void {
    const isWide = matchMedia("(min-width: 720px)").matches;
    const canOpen = (this.alone !== null || isWide) && preferences.opensWindows;
    if (!canOpen || !popUp({ id: "", words: "", ...at, kind })) this.go(kind, at);
  }
}

function popUp(place: Place): boolean {
  const opened = window.open(`/?window${hashOf({ selected: place.peer, place })}`, `rookery ${place.kind} ${place.peer}`, "popup,width=480,height=700");
  opened?.focus();
  return opened !== null;
}

function newId(): string {
  // Not crypto.randomUUID: a page over plain http, of a server in one's own house, has none.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

customElements.define("rookery-app", App);
