/** Opens the microphone and hands out its sound as 16 kHz PCM. */

import { SAMPLE_RATE } from "./pcm.js";

const FINISH_TIMEOUT_MS = 1000; // a browser that has stopped its audio thread never answers

/** The microphone cannot be used; `reason` is a key of the messages. */
export class MicrophoneError extends Error {
  constructor(reason, cause) {
    super(reason, { cause });
    this.reason = reason;
  }
}

export class Microphone {
  /**
   * @param {(pcm: Int16Array, levelDb: number) => void} onFrame
   * @param {() => void} onLost the device has gone.
   */
  constructor(onFrame, onLost) {
    this.onFrame = onFrame;
    this.onLost = onLost;
  }

  /**
   * Ask for permission and begin.
   *
   * @throws {MicrophoneError}
   */
  async open() {
    if (!navigator.mediaDevices) throw new MicrophoneError("microphoneInsecure");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        // Recognisers are trained on noise; what suppresses it for listeners harms them.
        audio: {
          channelCount: 1,
          echoCancellation: false,
          noiseSuppression: false,
          autoGainControl: true,
        },
      });
    } catch (error) {
      throw new MicrophoneError(reasonOf(error), error);
    }
    try {
      [this.context, this.source] = connectableContext(this.stream);
    } catch (error) {
      this.close();
      throw new MicrophoneError("microphoneBroken", error);
    }
    try {
      await this.context.audioWorklet.addModule(new URL("./capture_worklet.js", import.meta.url));
    } catch (error) {
      this.close();
      throw new MicrophoneError("serverUnreachable", error);
    }
    this.worklet = new AudioWorkletNode(this.context, "capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.finished = new Promise((resolve) => {
      this.worklet.port.onmessage = ({ data }) =>
        data.finished ? resolve() : this.onFrame(data.pcm, data.levelDb);
    });
    this.stream.getAudioTracks()[0].onended = () => this.onLost();
    this.source.connect(this.worklet);
    await this.context.resume();
  }

  /** Hand out what is left and let the device go. */
  async stop() {
    this.worklet.port.postMessage("finish");
    const tooLong = new Promise((resolve) => setTimeout(resolve, FINISH_TIMEOUT_MS));
    await Promise.race([this.finished, tooLong]);
    this.close();
  }

  /** Let the device go at once. */
  close() {
    if (this.worklet) this.worklet.port.onmessage = null;
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.context?.close();
    this.context = null; // Firefox objects to a second time
  }
}

/** Return an audio context that takes the stream, at 16 kHz where the browser resamples. */
function connectableContext(stream) {
  let context;
  try {
    context = new AudioContext({ sampleRate: SAMPLE_RATE });
    return [context, context.createMediaStreamSource(stream)];
  } catch {
    // Firefox connects a microphone only to a context of its own rate; the worklet resamples.
    context?.close();
    context = new AudioContext();
    return [context, context.createMediaStreamSource(stream)];
  }
}

function reasonOf(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") {
    return "microphoneRefused";
  }
  return error.name === "NotFoundError" ? "microphoneMissing" : "microphoneBroken";
}
