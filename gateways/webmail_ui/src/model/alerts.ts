// Whether the person wants to be told of a message just now, and how. A rule; what is shown and heard is elsewhere.

import type { Status } from "./frames";

/** What the person wishes on this device. Quiet hours: "HH:MM" of the day; both the same, or one empty: none. */
export interface Wishes {
  isShown: boolean;
  isHeard: boolean;
  quietFrom: string;
  quietTo: string;
}

export interface Moment {
  status: Status;
  /** "HH:MM" */
  time: string;
  /** The page has the person's attention, though maybe not this conversation. */
  isFocused: boolean;
}

/** Whether to show the message on the desktop and to let a sound be heard. Busy and quiet hours are silent. */
export function alertFor(wishes: Wishes, moment: Moment): { isShown: boolean; isHeard: boolean } {
  const isSilent = moment.status === "Busy" || isWithin(moment.time, wishes.quietFrom, wishes.quietTo);
  return { isShown: !isSilent && wishes.isShown && !moment.isFocused, isHeard: !isSilent && wishes.isHeard };
}

/** Whether a time of the day lies in a span that may go over midnight. */
export function isWithin(time: string, from: string, to: string): boolean {
  if (!from || !to || from === to) return false;
  return from < to ? from <= time && time < to : time >= from || time < to;
}
