/** Saves what the page has made. */

import { toSrt, toTxt, toVtt } from "./subtitles.js";

/** Format, media type and writer of each kind of text. */
export const TEXT_FORMATS = [
  ["txt", "text/plain", toTxt],
  ["srt", "application/x-subrip", toSrt],
  ["vtt", "text/vtt", toVtt],
];

/** Let the browser save a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own reference once the click has been dealt with.
  setTimeout(() => URL.revokeObjectURL(link.href));
}
