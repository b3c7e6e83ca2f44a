// Vercel's AI SDK: the model that it is shown with, words and segments.
import fs from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_transcribe as transcribe } from "ai";

const [url, file] = process.argv.slice(2);
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
for (const [model, granularity] of [
  ["gpt-4o-transcribe", null],
  ["whisper-1", "word"],
  ["whisper-1", "segment"],
]) {
  const result = await transcribe({
    model: openai.transcription(model),
    audio: fs.readFileSync(file),
    maxRetries: 0,
    providerOptions: granularity ? { openai: { timestampGranularities: [granularity] } } : {},
  });
  console.log(granularity ?? "json", result.language, result.text);
  if (granularity) console.log(result.segments.map((each) => each.text).join(""));
}
