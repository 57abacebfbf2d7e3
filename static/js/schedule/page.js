// The elements of the schedule that its scripts share: the one that is replaced as a whole, and the grid in it.

export const schedule = () => document.getElementById("day");
export const grid = () => document.getElementById("day-grid");

// The doctor and start of a free time, as forms take them.
export const slotOf = (free) => `slot=${new URLSearchParams(free.search).get("slot")}`;
