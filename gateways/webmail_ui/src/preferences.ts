// What a person prefers on this device; kept where the browser keeps such things, if it lets us.

export type Theme = "auto" | "light" | "dark";

export const store = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`rookery ${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string | null): void {
    try {
      if (value === null) localStorage.removeItem(`rookery ${key}`);
      else localStorage.setItem(`rookery ${key}`, value);
    } catch {
      // full, or forbidden: it holds until the page is closed
    }
  },
  keys(): string[] {
    try {
      return Object.keys(localStorage).flatMap((key) => nameOf(key) ?? []);
    } catch {
      return [];
    }
  },
  /** Hear what other tabs change. */
  listen(heard: (key: string, value: string | null) => void): void {
    window.addEventListener("storage", ({ key, newValue }) => {
      const name = nameOf(key ?? "");
      if (name !== null) heard(name, newValue);
    });
  },
};

function nameOf(key: string): string | null {
  return key.startsWith("rookery ") ? key.slice("rookery ".length) : null;
}

export const preferences = {
  get theme(): Theme {
    return (store.get("theme") as Theme | null) ?? "auto";
  },
  set theme(theme: Theme) {
    store.set("theme", theme === "auto" ? null : theme);
    applyTheme();
  },
  get opensWindows(): boolean {
    return store.get("windows") !== "no";
  },
  set opensWindows(opensWindows: boolean) {
    store.set("windows", opensWindows ? null : "no");
  },
  get hasSound(): boolean {
    return store.get("sound") !== "no";
  },
  set hasSound(hasSound: boolean) {
    store.set("sound", hasSound ? null : "no");
  },
  /** Times of the day, "HH:MM"; empty: there are none. */
  get quietHours(): { quietFrom: string; quietTo: string } {
    const [quietFrom = "", quietTo = ""] = (store.get("quiet") ?? "").split(" ");
    return { quietFrom, quietTo };
  },
  set quietHours({ quietFrom, quietTo }) {
    store.set("quiet", quietFrom && quietTo ? `${quietFrom} ${quietTo}` : null);
  },
};

/** Desktop notifications: wished for on this device, and allowed by the browser. */
export const notifications = {
  get areOn(): boolean {
    return store.get("notify") === "yes" && "Notification" in window && Notification.permission === "granted";
  },
  /** Ask for them, or have no more; whether it is as wished now. */
  async turn(on: boolean): Promise<boolean> {
    if (on && (!("Notification" in window) || (await Notification.requestPermission()) !== "granted")) return false;
    store.set("notify", on ? "yes" : null);
    return true;
  },
};

export function applyTheme(): void {
  if (preferences.theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = preferences.theme;
}
