// OpenAI's package for Node: text, segments, events.
import fs from "node:fs";
import OpenAI from "openai";

const [url, file] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const transcribe = (options) =>
  client.audio.transcriptions.create({
    model: "gpt-4o-mini-transcribe",
    file: fs.createReadStream(file),
    ...options,
  });

console.log("json", (await transcribe({})).text);
const verbose = await transcribe({
  response_format: "verbose_json",
  timestamp_granularities: ["word", "segment"],
});
console.log("verbose_json", verbose.segments.map((each) => each.text).join(""));
console.log("words", verbose.words.map((each) => each.word).join(""));
let text = "";
for await (const event of await transcribe({ stream: true })) text += event.delta ?? "";
console.log("stream", text);
