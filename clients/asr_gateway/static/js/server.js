/** Where the gateway is, and what its refusals mean to the reader. */

/** Return the address of the websocket. */
export function socketUrl(apiKey) {
  const url = new URL("ws", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (apiKey) url.searchParams.set("api_key", apiKey); // websockets in browsers send no headers
  return url;
}

/** Return the address of the transcription API. */
export function transcriptionsUrl() {
  return new URL("v1/audio/transcriptions", document.baseURI);
}

/**
 * Return the message for an answer of the API.
 *
 * @param {number} status HTTP's; 0 without an answer.
 * @param {string} message the server's own words.
 * @param {string} code the API's word for the failure.
 * @returns {[string, string]} key, and what the server says of it.
 */
export function explain(status, message, code) {
  if (status === 0) return ["serverUnreachable", ""];
  if (status === 401) return ["keyMissing", ""];
  if (status === 403) return ["pageRefused", message];
  if (status === 413) return ["fileTooLarge", message];
  if (code === "invalid_audio") return ["fileUnsupported", message];
  if (status === 429 || status === 503) return ["serverBusy", message];
  if (status === 400) return ["settingsRefused", message];
  return ["serverError", message || `HTTP ${status}`];
}

/** Return the message for a websocket that was refused: browsers hide why, so ask over HTTP. */
export async function explainRefusal(apiKey) {
  const headers = apiKey ? { Authorization: `Bearer ${apiKey}` } : {};
  try {
    const answer = await fetch(new URL("v1/models", document.baseURI), { headers });
    return explain(answer.ok ? 503 : answer.status, "", "");
  } catch {
    return explain(0, "", "");
  }
}
