/** The form with what is asked of the recogniser. Choices are kept; the API key for this tab only. */

import { say } from "./i18n.js";
import { keep, recall } from "./storage.js";

const STORED_SETTINGS = "recognition";
const STORED_KEY = "api-key";

export class GatewaySettings {
  /**
   * @param {HTMLFormElement} form
   */
  constructor(form) {
    this.fields = form.elements;
    this.#restore();
    this.#describeModel();
    form.addEventListener("change", () => this.#keep());
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** What the form says now. */
  get values() {
    return {
      model: this.fields.model.value,
      onlineModel: this.fields["online-model"].disabled
        ? "streaming_paraformer"
        : this.fields["online-model"].value,
      language: this.fields.language.disabled ? "auto" : this.fields.language.value,
      itn: this.fields.itn.checked,
      hotwords: this.fields.hotwords.value.trim(),
      speakers: this.fields.speakers.value,
      apiKey: this.apiKey,
    };
  }

  get apiKey() {
    return this.fields["api-key"].value.trim();
  }

  /** Put the cursor where the API key belongs. */
  askForKey() {
    this.fields["api-key"].closest("details").open = true;
    this.fields["api-key"].focus();
  }

  #keep() {
    const { model, itn, hotwords, speakers } = this.values;
    const language = this.fields.language.value;
    const onlineModel = this.fields["online-model"].value;
    const stored = { model, language, itn, hotwords, speakers, "online-model": onlineModel };
    keep("localStorage", STORED_SETTINGS, JSON.stringify(stored));
    keep("sessionStorage", STORED_KEY, this.apiKey);
    this.#describeModel();
  }

  #restore() {
    const stored = JSON.parse(recall("localStorage", STORED_SETTINGS) ?? "{}");
    for (const name of ["model", "online-model", "language", "hotwords", "speakers"]) {
      if (stored[name]) this.fields[name].value = stored[name];
    }
    this.fields.itn.checked = stored.itn ?? true;
    this.fields["api-key"].value = recall("sessionStorage", STORED_KEY) ?? "";
  }

  #describeModel() {
    const hint = document.getElementById("model-hint");
    const paraformer = this.fields.model.value === "paraformer";
    say(hint, paraformer ? "hintParaformer" : "hintSensevoice");
    // It knows no other languages than its own two.
    this.fields.language.disabled = this.fields["online-model"].disabled = paraformer;
    document.getElementById("language-hint").hidden = paraformer;
  }
}
