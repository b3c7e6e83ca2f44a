/** Connects the page's controls with recording, files and transcripts. */

import { FileQueue } from "./file_queue.js";
import { preferredLanguage, say, setLanguage } from "./i18n.js";
import { MicrophoneError } from "./microphone.js";
import { Recording } from "./recording.js";
import { GatewaySettings } from "./settings.js";
import { Transcript } from "./transcript.js";

const byId = (id) => document.getElementById(id);
const settings = new GatewaySettings(byId("settings"));
const files = new FileQueue({ onStart: showOnTop, onDone: finished, onCount: showQueue });
const work = new Map(); // transcripts that are not complete, and what cancels each
let recording = null; // the one that the microphone is open for

// The page's language

function chooseLanguage(tag) {
  setLanguage(tag);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === tag));
  }
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => chooseLanguage(button.dataset.language));
}
chooseLanguage(preferredLanguage());

// Transcripts

/** What is under way is on top, what is complete below it, what waits at the end. */
function addTranscript(baseName, live) {
  const transcript = new Transcript({ baseName, live, onRemove: () => discard(transcript) });
  byId("page-error").hidden = true;
  byId("no-transcripts").hidden = true;
  byId("transcript-list").append(transcript.element);
  return transcript;
}

function showOnTop(transcript) {
  const { element } = transcript;
  // Moving it would take the focus away from a control in it.
  if (!element.contains(document.activeElement)) byId("transcript-list").prepend(element);
}

/** Scroll to the transcripts, unless they are seen anyway. */
function showTranscripts() {
  const section = byId("transcripts");
  const { top } = section.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) section.scrollIntoView();
}

/** Say which of the files is under way; nothing with one, which says it itself. */
function showQueue(number, total) {
  byId("queue").hidden = total < 2;
  say(byId("queue"), "queueState", { number, total });
}

function discard(transcript) {
  const cancel = work.get(transcript);
  work.delete(transcript);
  cancel?.();
  transcript.remove();
  byId("no-transcripts").hidden = document.querySelector("article.transcript") !== null;
}

function finished(transcript, failureKey) {
  work.delete(transcript);
  if (failureKey === "keyMissing") settings.askForKey();
  if (failureKey) return; // an alert says so
  const title = transcript.title.textContent;
  announce("announceComplete", { title, count: transcript.sentences.length });
}

function announce(key, values) {
  say(byId("announcements"), key, values);
}

function complain(key) {
  byId("page-error").hidden = false; // before the text, or screen readers miss it
  say(byId("page-error"), key);
}

// Recording

byId("record").addEventListener("click", () => {
  if (!recording) record();
  else if (recording.started) recording.stop();
  else discard(recording.transcript);
});
byId("cancel-recording").addEventListener("click", () => {
  discard(recording.transcript);
  announce("announceCancelled");
  byId("record").focus(); // this button is hidden now
});

async function record() {
  const now = new Date();
  const transcript = addTranscript(`recording-${timestamp(now)}`, true);
  showOnTop(transcript);
  const time = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  say(transcript.title, "recordingTitle", { time });
  transcript.setState("askingMicrophone");
  const started = new Recording(settings.values, transcript, {
    onLevel: showLevel,
    onMicrophoneClosed: () => showRecorder(null),
    onEnd: (failureKey) => finished(transcript, failureKey),
  });
  showRecorder(started);
  showTranscripts();
  work.set(transcript, () => started.cancel());
  try {
    await started.start();
    if (recording === started) announce("announceRecording");
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    discard(transcript);
    complain(error.reason);
  }
}

function showRecorder(current) {
  recording?.transcript.setRemovable(true);
  current?.transcript.setRemovable(false); // the recorder does
  recording = current;
  document.body.classList.toggle("recording", current !== null);
  say(byId("record-label"), current ? "stop" : "record");
  byId("cancel-recording").hidden = !current;
  byId("recording-state").hidden = !current;
  showLevel(0, "0:00");
}

function showLevel(level, elapsed) {
  byId("level").value = level;
  byId("elapsed").textContent = elapsed;
}

function timestamp(date) {
  const local = new Date(date.getTime() - 60_000 * date.getTimezoneOffset());
  return local.toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
}

// Files

function transcribe(chosen) {
  for (const file of chosen) {
    const transcript = addTranscript(file.name.replace(/\.[^.]+$/, ""), false);
    transcript.title.textContent = file.name;
    work.set(transcript, () => files.cancel(transcript));
    files.add(file, settings.values, transcript);
  }
  if (chosen.length) showTranscripts();
}

byId("files").addEventListener("change", ({ target }) => {
  transcribe([...target.files]);
  target.value = ""; // so that the same file can be chosen again
});

// Anywhere on the page: a file dropped beside the target would replace the page.
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    byId("drop-zone").classList.add("dropping");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("drop-zone").classList.remove("dropping"); // left the window
});
document.addEventListener("drop", (event) => {
  byId("drop-zone").classList.remove("dropping");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  transcribe([...event.dataTransfer.files]);
});

// Leaving

window.addEventListener("beforeunload", (event) => {
  if (work.size) event.preventDefault(); // the browser asks
});
