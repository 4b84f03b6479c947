// Keys within a group of which one member at a time is a stop of the Tab key: lists, menus, tabs, grids (WAI-ARIA practices).

const STEPS: Record<string, number> = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
type Axis = "vertical" | "horizontal" | "both";

/** The member that a key leads to; null: the key means something else. Goes around at the ends if it `isRound`. */
export function rove<T extends HTMLElement>(event: KeyboardEvent, members: T[], axis: Axis = "vertical", isRound = true): T | null {
  const at = members.indexOf(document.activeElement as T);
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return null;
  if (event.key === "Home" || event.key === "End") return move(event, members.at(event.key === "Home" ? 0 : -1));
  const step = STEPS[event.key];
  if (step === undefined || (axis !== "both" && (axis === "vertical") !== (event.key === "ArrowDown" || event.key === "ArrowUp"))) return null;
  const next = at + step;
  return move(event, isRound ? members.at(next % members.length) : members[next]);
}

function move<T extends HTMLElement>(event: KeyboardEvent, to: T | undefined): T | null {
  if (to === undefined) return null;
  event.preventDefault();
  to.focus();
  return to;
}
