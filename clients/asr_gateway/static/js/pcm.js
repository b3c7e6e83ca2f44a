/** 16-bit samples: what the recogniser takes and a WAV file holds. */

export const SAMPLE_RATE = 16000; // Hz

/** Return samples in [-1, 1] as 16-bit integers; what is louder is clipped. */
export function toInt16(samples) {
  return Int16Array.from(samples, (sample) =>
    Math.max(-32768, Math.min(32767, Math.round(sample * 32768))),
  );
}

/** Return the root mean square of 16-bit samples in dB below full scale, at least -100. */
export function levelDb(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return Math.max(-100, 10 * Math.log10(power / 32768 ** 2 || 1e-10));
}

/**
 * Return a WAV file, 16 kHz mono.
 *
 * @param {Int16Array[]} frames
 * @returns {Blob}
 */
export function toWav(frames) {
  const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const text = (offset, name) =>
    [...name].forEach((letter, index) => header.setUint8(offset + index, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // length of the format chunk
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, SAMPLE_RATE, true);
  header.setUint32(28, 2 * SAMPLE_RATE, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a sample
  header.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...frames], { type: "audio/wav" });
}
