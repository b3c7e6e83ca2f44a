// OpenAI's package for Node: the Realtime API. It speaks TLS only.
import fs from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const [url, file] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
const samples = fs.readFileSync(file).subarray(44);
const pause = Buffer.alloc(64000);

const connection = new OpenAIRealtimeWS({ model: "gpt-4o-transcribe" }, client);
const texts = [];
connection.on("error", (error) => {
  console.log("error", error.message);
  process.exit(1);
});
connection.on("session.created", () => {
  connection.send({
    type: "session.update",
    session: {
      type: "transcription",
      audio: {
        input: {
          format: { type: "audio/pcm", rate: 16000 },
          turn_detection: { type: "server_vad", silence_duration_ms: 800, prefix_padding_ms: 200 },
        },
      },
    },
  });
});
connection.on("session.updated", () => {
  const audio = Buffer.concat([samples, pause]);
  for (let first = 0; first < audio.length; first += 3200) {
    const piece = audio.subarray(first, first + 3200).toString("base64");
    connection.send({ type: "input_audio_buffer.append", audio: piece });
  }
});
connection.on("conversation.item.input_audio_transcription.completed", (event) => {
  texts.push(event.transcript);
  if (texts.length < 2) return;
  console.log("realtime", texts.join(""));
  connection.close();
});
