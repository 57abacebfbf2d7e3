// The elements of the schedule that its scripts share: the one that is replaced as a whole, and the grid in it.

export const schedule = () => document.getElementById("day");
export const grid = () => document.getElementById("day-grid");
