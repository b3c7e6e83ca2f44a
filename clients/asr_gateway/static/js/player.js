/** Plays stretches of a recording and tells which sentence is heard. */
export class Player {
  /**
   * @param {HTMLAudioElement} audio
   * @param {(index: number) => void} onSentence the sentence that is heard now; -1 for none.
   */
  constructor(audio, onSentence) {
    this.audio = audio;
    this.onSentence = onSentence;
    this.sentences = [];
    this.heard = -1;
    this.stopMs = Infinity; // where the sentence that was asked for ends
    this.watching = false;
    for (const name of ["play", "pause", "timeupdate", "seeked", "ended"]) {
      audio.addEventListener(name, () => this.#follow());
    }
  }

  /**
   * @param {Blob} blob what is played.
   */
  load(blob) {
    this.url = URL.createObjectURL(blob);
    this.audio.src = this.url;
  }

  /** Play one sentence and stop behind it; stop it where it is playing. */
  toggle(index) {
    if (this.heard === index && !this.audio.paused) {
      this.audio.pause();
      return;
    }
    const { startMs, endMs } = this.sentences[index];
    this.stopMs = Infinity;
    this.audio.currentTime = startMs / 1000;
    this.audio.play().then(
      () => {
        this.stopMs = endMs;
        this.#watch();
      },
      () => {}, // paused or removed before it began
    );
  }

  /** Let go of the recording. */
  close() {
    this.audio.pause();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  // "timeupdate" comes four times a second, too late for the end of a sentence.
  #watch() {
    if (this.watching) return;
    this.watching = true;
    const look = () => {
      this.#follow();
      this.watching = this.stopMs < Infinity;
      if (this.watching) requestAnimationFrame(look);
    };
    look();
  }

  #follow() {
    const nowMs = 1000 * this.audio.currentTime;
    if (nowMs >= this.stopMs) this.audio.pause();
    const silent = this.audio.paused || this.audio.ended;
    if (silent) this.stopMs = Infinity; // whoever goes on with the controls hears the rest
    const heard = silent
      ? -1
      : this.sentences.findIndex(({ startMs, endMs }) => startMs <= nowMs && nowMs < endMs);
    if (heard !== this.heard) {
      this.heard = heard;
      this.onSentence(heard);
    }
  }
}
