/**
 * The page's language. Every text that belongs to the page, not to a recording, is set with
 * `say`, which keeps its key on the element, so that a switch of language changes all of them.
 */

import { MESSAGES } from "./messages.js";
import { keep, recall } from "./storage.js";

const STORED_LANGUAGE = "interface-language";
let language = "en";

/** Show a message in an element. `values` replace {names} in it. */
export function say(element, key, values = {}) {
  element.dataset.i18n = key;
  element.dataset.i18nValues = JSON.stringify(values);
  element.textContent = message(key, values);
}

function message(key, values = {}) {
  return MESSAGES[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Return the language that the reader chose before, or prefers in the browser. */
export function preferredLanguage() {
  const known = [recall("localStorage", STORED_LANGUAGE), ...navigator.languages];
  return known.map((tag) => tag?.slice(0, 2)).find((tag) => tag in MESSAGES) ?? "en";
}

/** Switch the whole page. */
export function setLanguage(tag) {
  language = tag;
  keep("localStorage", STORED_LANGUAGE, tag);
  document.documentElement.lang = tag === "zh" ? "zh-CN" : tag;
  translate(document);
}

/** Put everything below a node into the page's language. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-i18n]")) {
    say(element, element.dataset.i18n, JSON.parse(element.dataset.i18nValues ?? "{}"));
  }
  for (const element of root.querySelectorAll("[data-i18n-label]")) {
    element.setAttribute("aria-label", message(element.dataset.i18nLabel));
  }
}

/** Return the language that a recognised text is in, for screen readers and fonts. */
export function textLanguage(text) {
  if (/[\u3040-\u30ff]/.test(text)) return "ja";
  if (/[\uac00-\ud7a3]/.test(text)) return "ko";
  return /\p{Script=Han}/u.test(text) ? "zh" : "en";
}
