/**
 * The words and characters of a text that can be heard, without punctuation: what the times of a
 * sentence belong to. The rules are those of `asr_client.text.alignment.text_units`.
 */

// Scripts without spaces: every character is a unit. Hangul has spaces.
const CHARACTER =
  "〇\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u3040-\\u30ff\\u31f0-\\u31ff\\u{20000}-\\u{323af}";
const ALNUM = `(?![${CHARACTER}])[\\p{L}\\p{N}]`;
const MARK = "[\\u0300-\\u036f\\u3099\\u309a]"; // accents, and voices of kana, behind their letter
const UNIT = new RegExp(
  `[${CHARACTER}]${MARK}*` +
    `|(?:(?<![\\p{L}\\p{N}_])[-−+])?[$€£¥₩]?${ALNUM}${MARK}*` +
    `(?:${ALNUM}|${MARK}` +
    `|['’&@_/~+=×÷*:\\-](?=[$€£¥\\-]?${ALNUM})` + // don't, km/h, 3:50, 40~50
    "|(?<=\\p{Nd})[.,](?=\\p{Nd})" + // 3.5, 10,000
    "|(?<=[~/=+×÷*:])[$€£¥\\-](?=\\p{Nd})" +
    ")*(?:[%‰℃℉]|°[CF]?)?",
  "gu",
);

/**
 * Return the units of a text.
 *
 * @param {string} text
 * @returns {{text: string, start: number, end: number}[]} positions count code points.
 */
export function textUnits(text) {
  const units = [];
  let position = 0; // in code points
  let index = 0; // in UTF-16 units
  for (const match of text.matchAll(UNIT)) {
    position += codePoints(text.slice(index, match.index));
    const start = position;
    position += codePoints(match[0]);
    index = match.index + match[0].length;
    units.push({ text: match[0], start, end: position });
  }
  return units;
}

function codePoints(text) {
  return [...text].length;
}
