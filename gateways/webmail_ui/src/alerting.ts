// Telling the person of a message on the desktop and by a sound. One tab of a browser does it for all of them; whether it is wanted
// is a rule of the model (model/alerts.ts).

import { alertFor } from "./model/alerts";
import type { ChatFrame } from "./model/frames";
import type { Model } from "./model/model";
import { notifications, preferences } from "./preferences";

/** Until then another tab or device may have shown the message. */
const PATIENCE_MS = 400;
const NOTES = [659.3, 880];

export class Alerting {
  private isFirst = false;
  private audio: AudioContext | null = null;

  /** `isMain`: the page itself, which speaks where browsers have no locks (pages without TLS); `open`: show a conversation. */
  constructor(
    isMain: boolean,
    private readonly open: (peer: string) => void,
  ) {
    if (navigator.locks === undefined) this.isFirst = isMain;
    else void navigator.locks.request("rookery alerts", () => new Promise(() => (this.isFirst = true)));
  }

  arrived(model: Model, chat: ChatFrame): void {
    if (this.isFirst) setTimeout(() => this.tell(model, chat), PATIENCE_MS);
  }

  private tell(model: Model, chat: ChatFrame): void {
    if (model.conversation(chat.from).unread === 0) return;
    const { isShown, isHeard } = alertFor(
      { isShown: notifications.areOn, isHeard: preferences.hasSound, ...preferences.quietHours },
      { status: model.status, time: new Date().toTimeString().slice(0, 5), isFocused: document.hasFocus() },
    );
    if (isHeard) this.chime();
    if (!isShown) return;
    const person = model.person(chat.from);
    // The tag: of each sender only the newest message stands there.
    const shown = new Notification(person.name, { body: chat.body || chat.file?.name || "", tag: chat.from, icon: model.photo(chat.from) ?? "/icon.svg", silent: true });
    shown.onclick = () => {
      window.focus();
      this.open(chat.from);
      shown.close();
    };
  }

  private chime(): void {
    const audio = (this.audio ??= new AudioContext());
    void audio.resume();
    NOTES.forEach((pitch, index) => {
      const start = audio.currentTime + index * 0.11;
      const tone = new OscillatorNode(audio, { frequency: pitch });
      const volume = new GainNode(audio, { gain: 0 });
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.12, start + 0.012);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.35);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.4);
    });
  }
}
