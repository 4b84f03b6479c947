// What this tab knows, and what can be done with it. Knows no page: the views read it and are told when something changed.
//
// The server's snapshot fills it, its events keep it current; what is asked is answered once, also when the line breaks
// meanwhile. What the person writes is a draft until the archive has it; drafts outlive the page.

import { Conversation, type Draft } from "./conversation";
import {
  type Answer,
  type ChatFrame,
  type DisplayedFrame,
  isServedHere,
  type Person,
  type Status,
  type Told,
  VERSION,
} from "./frames";
import { Outbox, type Store } from "./outbox";
import { People } from "./people";
import { Photos } from "./photos";
import { type Presence, Presences } from "./presences";
import { Questions, Refusal } from "./questions";
import { Reader } from "./reader";
import { Typing } from "./typing";
import { type Carry, Uploads } from "./uploads";
import { Socket, type SocketOptions } from "./socket";

export interface ModelOptions {
  connect: SocketOptions["connect"];
  timers: SocketOptions["timers"];
  store: Store;
  now: () => number;
  newId: () => string;
  /** Carries a file to the server. */
  carry: Carry;
  /** Whether the person looks at the conversation with this peer just now. */
  isLookedAt: (peer: string) => boolean;
  /** Somebody wrote, and the person may not be looking. */
  arrived: (chat: ChatFrame) => void;
  ended: (reason: string) => void;
}

export const PAGE = 50;
/** Somebody who stops typing without a word is taken to have stopped after this. */
export const TYPING_MS = 12_000;

export class Model {
  you = "";
  status: Status = "Available";
  statusText = "";
  isUp = false;
  /** The first snapshot is here. */
  isReady = false;
  /** The largest file that may be shared; 0: there is no limit. */
  fileBytes = 0;
  /** There are no conversations but those that are known. */
  isRecentComplete = false;
  readonly uploads: Uploads;
  readonly people = new People();
  readonly conversations = new Map<string, Conversation>();

  private readonly socket: Socket;
  private readonly presences: Presences;
  private readonly questions = new Questions((frame) => void this.socket.send(frame));
  private readonly photos = new Photos(
    async (address) => (await this.ask<"card">({ t: "card", address })).photo ?? "",
    () => this.changed(),
  );
  private readonly listeners = new Set<() => void>();
  private readonly ownTyping: Typing;
  private readonly outbox: Outbox;
  private epoch = "";
  private last = 0;
  private isTellDue = false;
  private snapshot = new Set<string>();
  /** What is heard of others is news, and no first look at them. */
  private isLooking = false;

  constructor(private readonly options: ModelOptions) {
    this.presences = new Presences(options.now);
    this.ownTyping = new Typing((peer, on) => void this.socket.send({ t: "typing", peer, on }), options.now);
    this.outbox = new Outbox({
      send: (frame) => void this.socket.send(frame),
      store: options.store,
      changed: (peers) => {
        for (const peer of peers) this.conversation(peer).setDrafts(this.outbox.of(peer));
        this.changed();
      },
    });
    this.uploads = new Uploads({
      carry: options.carry,
      newId: options.newId,
      limit: () => this.fileBytes,
      share: (peer, file, shared) => this.say(peer, "", { file, shared }),
      changed: () => this.changed(),
    });
    this.status = (options.store.get("status") as Status | null) ?? "Available";
    this.statusText = options.store.get("status-text") ?? "";
    this.socket = new Socket({
      connect: options.connect,
      timers: options.timers,
      hello: () => ({ t: "hello", v: VERSION, epoch: this.epoch, last: this.last, status: this.status, text: this.statusText }),
      heard: (frame) => this.hear(frame),
      changed: (isUp) => this.lineChanged(isUp),
      ended: (reason) => this.options.ended(reason),
    });
  }

  start(): void {
    this.socket.open();
  }

  stop(): void {
    this.socket.close();
  }

  hurry(): void {
    this.socket.hurry();
  }

  /** Be told of changes, once for all that happen together. The answer ends it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  // -- what is known ---------------------------------------------------------------------------------------------------

  /** Aliases, then people; each by name; without oneself. */
  get contacts(): Person[] {
    return this.people.others(this.you);
  }

  get me(): Person {
    return this.person(this.you);
  }

  person(address: string): Person {
    return this.people.find(address) ?? { address, name: address.split("@")[0] ?? address };
  }

  statusOf(address: string): Presence {
    return this.presences.of(address);
  }

  /** Since when a contact has its status, in milliseconds since 1970; asked for when it is not known. */
  sinceOf(address: string): number | undefined {
    const known = this.presences.sinceOf(address);
    if (known === undefined && this.isUp && this.status !== "Offline") void this.askSince(address);
    return known || undefined;
  }

  /** Those with something said, the newest first. */
  get recent(): Conversation[] {
    return [...this.conversations.values()]
      .filter((conversation) => conversation.newest !== null)
      .sort((a, b) => ((a.newest?.id ?? "") < (b.newest?.id ?? "") ? 1 : -1));
  }

  get unread(): number {
    let sum = 0;
    for (const conversation of this.conversations.values()) sum += conversation.unread;
    return sum;
  }

  conversation(peer: string): Conversation {
    let found = this.conversations.get(peer);
    if (found === undefined) {
      found = new Conversation(peer, this.you);
      found.setDrafts(this.outbox.of(peer));
      this.conversations.set(peer, found);
    }
    return found;
  }

  isTyping(peer: string): boolean {
    const since = this.conversations.get(peer)?.typingSince ?? 0;
    return since > 0 && this.options.now() - since < TYPING_MS;
  }

  // -- what can be done ------------------------------------------------------------------------------------------------

  setStatus(status: Status, text: string): void {
    this.options.store.set("status", status);
    this.options.store.set("status-text", text || null);
    this.showStatus(status, text);
  }

  /** A status that the person has not chosen, and that the next page does not begin with. */
  showStatus(status: Status, text = this.statusText): void {
    if (!this.socket.send({ t: "status", status, text })) {
      this.status = status;
      this.statusText = text;
    }
    this.changed();
  }

  say(to: string, body: string, more: Partial<Omit<Draft, "id" | "to" | "body" | "at">> = {}): void {
    this.ownTyping.forget(to);
    this.outbox.add({ id: this.options.newId(), to, body, at: this.options.now(), ...more });
  }

  /** Try a message that was refused once more; or give it up. */
  sayAgain(id: string): void {
    this.outbox.addAgain(id);
  }

  discard(id: string): void {
    this.outbox.remove(id);
  }

  /** Another tab of this browser changed what is kept; see `Store`. */
  keptChanged(key: string, value: string | null): void {
    this.outbox.take(key, value);
  }

  /** Let the other side know that the person types, or stopped. */
  typing(peer: string, on: boolean): void {
    this.ownTyping.set(peer, on);
  }

  /** The person has seen everything in this conversation. */
  markRead(peer: string): void {
    const conversation = this.conversations.get(peer);
    if (conversation === undefined || !this.isUp) return;
    const newest = conversation.unseen();
    if (newest === undefined ? conversation.unread === 0 : !this.socket.send({ t: "read", peer, ...newest })) return;
    conversation.see(newest?.id ?? conversation.read);
    this.changed();
  }

  /** Fetch the newest page, if it is not here; or the one before what is here. */
  async load(peer: string, isOlder = false): Promise<void> {
    const conversation = this.conversation(peer);
    if (conversation.isLoading || (isOlder ? conversation.isComplete : conversation.isLoaded)) return;
    conversation.isLoading = true;
    const before = isOlder ? conversation.oldest : "";
    try {
      const page = await this.ask<"history">({ t: "history", peer, before, limit: PAGE });
      const items = page.items ?? [];
      conversation.addPage(items, !isOlder);
      if (page.complete) conversation.isComplete = true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      conversation.isLoaded = conversation.isComplete = true;
    } finally {
      conversation.isLoading = false;
      this.changed();
    }
  }

  /** Contacts with these words, best first; `isComplete`: there are no more. */
  async find(text: string): Promise<{ addresses: string[]; isComplete: boolean }> {
    const { addresses = [], complete = false } = await this.ask<"found">({ t: "find", text });
    return { addresses, isComplete: complete };
  }

  /** Older conversations for the list of recent ones. */
  async loadRecent(): Promise<void> {
    const before = this.recent.at(-1)?.newest?.id;
    if (!before || this.isRecentComplete) return;
    this.take(await this.ask<"conversations">({ t: "conversations", before }));
    this.changed();
  }

  /** Messages with these words, the newest first. */
  async findMessages(text: string, peer = "", limit = PAGE): Promise<ChatFrame[]> {
    const page = await this.ask<"history">({ t: "history", peer, text, limit });
    return (page.items ?? []).filter((item): item is ChatFrame => item.t === "chat").reverse();
  }

  /** A page of the messages of a conversation that carry files, the newest first; `before`: older than this id. */
  async findFiles(peer: string, before: string): Promise<{ chats: ChatFrame[]; isComplete: boolean }> {
    const page = await this.ask<"history">({ t: "history", peer, files: true, limit: PAGE, ...(before ? { before } : {}) });
    const chats = (page.items ?? []).filter((item): item is ChatFrame => item.t === "chat" && isServedHere(item.file));
    return { chats: chats.reverse(), isComplete: page.complete ?? false };
  }

  /** The photo of a contact as a data URL; undefined: there is none, or it is not here yet. */
  photo(address: string): string | undefined {
    return this.people.find(address)?.alias ? undefined : this.photos.get(address);
  }

  /** Look whether a contact has another photo by now. */
  refreshPhoto(address: string): void {
    if (!this.people.find(address)?.alias) this.photos.refresh(address);
  }

  /** The person's own photo from now on, in base64; empty: none. */
  async setPhoto(photo: string): Promise<void> {
    await this.ask<"done">({ t: "photo", photo });
    this.photos.refresh(this.you);
  }

  /** Read in the history of a conversation, from anywhere. */
  reader(peer: string): Reader {
    return new Reader((frame) => this.ask<"history">(frame), peer, this.you);
  }

  /** Ask the server; the answer comes, if need be over another line. */
  ask<T extends Told["t"]>(frame: object): Promise<Answer<T>> {
    return this.questions.ask(frame);
  }

  private async askSince(address: string): Promise<void> {
    this.presences.setSince(address, 0); // asked
    const { seconds } = await this.ask<"since">({ t: "since", address });
    if (seconds === undefined || this.presences.sinceOf(address) !== 0) return;
    this.presences.setSince(address, this.options.now() - seconds * 1000);
    this.changed();
  }

  // -- what the server says --------------------------------------------------------------------------------------------

  private hear(frame: Told): void {
    if (frame.n !== undefined && frame.t !== "welcome") {
      if (frame.n <= this.last) return;
      this.last = frame.n;
    }
    if (!this.questions.take(frame)) this.take(frame);
    this.changed();
  }

  private take(frame: Told): void {
    switch (frame.t) {
      case "welcome":
        this.welcomed(frame);
        break;
      case "contacts":
        this.takeContacts(frame);
        break;
      case "presences":
        if (frame.all) this.presences.clear();
        for (const seen of frame.devices ?? []) this.presences.see(seen, this.isLooking);
        this.isLooking = true;
        break;
      case "own-status":
        this.status = frame.status;
        this.statusText = frame.text ?? "";
        if (frame.status !== "Offline") break;
        this.presences.clear();
        this.isLooking = false;
        break;
      case "chat":
        this.takeChat(frame);
        break;
      case "displayed":
        this.takeDisplayed(frame);
        break;
      case "typing":
        this.conversation(frame.peer).typingSince = frame.on ? this.options.now() : 0;
        if (frame.on) this.options.timers.set(() => this.changed(), TYPING_MS + 50);
        break;
      case "failed":
        this.outbox.fail(frame.origin, frame.text || frame.condition);
        break;
      case "conversations":
        for (const entry of frame.conversations ?? []) this.conversation(entry.peer).take(entry);
        this.isRecentComplete = frame.complete ?? false;
        break;
    }
  }

  private welcomed(welcome: Answer<"welcome">): void {
    if (this.you !== welcome.you.address) {
      this.you = welcome.you.address;
      this.conversations.clear();
      this.outbox.open(this.you);
    }
    this.epoch = welcome.epoch;
    this.fileBytes = welcome.fileBytes ?? 0;
    this.status = welcome.status;
    this.statusText = welcome.text ?? "";
    if (welcome.fresh) {
      this.last = welcome.n;
      this.presences.clear();
      this.isLooking = false;
      for (const conversation of this.conversations.values()) conversation.forget();
      this.snapshot = new Set(["contacts"]);
    }
  }

  private takeContacts(frame: Answer<"contacts">): void {
    this.people.take(frame);
    this.snapshot.delete("contacts");
    this.isReady ||= this.snapshot.size === 0;
  }

  private takeChat(chat: ChatFrame): void {
    const isOwn = chat.from === this.you;
    const peer = isOwn ? chat.via || chat.to : chat.from;
    const conversation = this.conversation(peer);
    const isNew = conversation.add(chat);
    if (isOwn) {
      if (chat.origin) this.outbox.remove(chat.origin);
      if (isNew && !chat.replaces && !chat.retracts) conversation.unread = 0; // an own reply, from whatever device, says that the rest was read
      return;
    }
    conversation.typingSince = 0;
    if (!isNew || !conversation.isNews(chat)) return;
    conversation.unread += 1;
    if (this.options.isLookedAt(peer)) this.markRead(peer);
    else this.options.arrived(chat);
  }

  private takeDisplayed(frame: DisplayedFrame): void {
    const isOwn = frame.from === this.you;
    const conversation = this.conversation(isOwn ? frame.to : frame.from);
    conversation.add(frame);
    if (isOwn) conversation.seeNamed(frame.name ?? "");
  }

  private lineChanged(isUp: boolean): void {
    this.isUp = isUp;
    if (isUp) {
      this.questions.askAgain();
      this.outbox.sendAll();
    }
    this.changed();
  }

  private changed(): void {
    if (this.isTellDue) return;
    this.isTellDue = true;
    queueMicrotask(() => {
      this.isTellDue = false;
      for (const listener of [...this.listeners]) listener();
    });
  }
}
