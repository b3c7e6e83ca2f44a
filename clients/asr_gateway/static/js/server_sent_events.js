/** Reads `text/event-stream` that comes in pieces (HTML standard, server-sent events). */
export class EventStreamParser {
  constructor() {
    this.rest = "";
  }

  /**
   * Take a piece of the stream and return the data of the events that it completes.
   *
   * @param {string} text
   * @returns {string[]}
   */
  push(text) {
    const blocks = (this.rest + text).replace(/\r\n/g, "\n").split("\n\n");
    this.rest = blocks.pop();
    return blocks.map(eventData).filter((data) => data !== "");
  }
}

function eventData(block) {
  return block
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).replace(/^ /, ""))
    .join("\n");
}
