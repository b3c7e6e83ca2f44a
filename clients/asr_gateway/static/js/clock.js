/** Return a time as people read it: 0:07, 12:05, 1:00:09. */
export function readableTime(timeMs) {
  const seconds = Math.floor(timeMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const padded = (number) => String(number).padStart(2, "0");
  const end = `${padded(seconds % 60)}`;
  return hours ? `${hours}:${padded(minutes % 60)}:${end}` : `${minutes}:${end}`;
}
