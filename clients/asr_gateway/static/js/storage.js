/** What the browser keeps for the page. One that keeps nothing is no reason to fail. */

/** Return what was kept under a name, or null. `area`: "localStorage" or "sessionStorage". */
export function recall(area, name) {
  try {
    return window[area].getItem(name);
  } catch {
    return null;
  }
}

/** Keep a text under a name, if the browser allows it. */
export function keep(area, name, text) {
  try {
    window[area].setItem(name, text);
  } catch {
    // Storage is switched off, or full.
  }
}
