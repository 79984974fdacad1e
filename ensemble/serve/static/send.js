// Requests to the API.

const BESIDE = 1024; // bytes of a form for each file, besides its content
const TRIES = 5;
const GONE = "The server cannot be reached. Is it still running?";
let key = "";
export const setKey = (value) => { key = value; };

/** To ask again does not help: the server says no to these files. */
export class Refused extends Error {}
export class NeedsKey extends Error {}

/** Files for one request after the other, each with no more of them and no more bytes than the server takes. */
export function packed(files, { photographs, megabytes }) {
  const parts = [];
  let bytes = Infinity;
  for (const file of files) {
    bytes += file.size + BESIDE;
    if (bytes > megabytes * 2 ** 20 || parts.at(-1).length === photographs) {
      parts.push([]);
      bytes = file.size + BESIDE;
    }
    parts.at(-1).push(file);
  }
  return parts;
}

/** The answer to one file or several, asked for again where the server says when; an Error with its sentence if there is none. */
export async function send(path, files, sayWait = () => {}) {
  for (let tries = 1; ; tries += 1) {
    const response = await asked(path, [files].flat());
    const content = await response.json().catch(() => ({}));
    if (response.ok) return content;
    const seconds = Number(response.headers.get("Retry-After"));
    if (seconds && tries < TRIES) {
      sayWait(seconds);
      await new Promise((done) => { setTimeout(done, 1000 * seconds); });
    } else {
      throw reasonOf(response.status, content.error || `The server answered ${response.status}`);
    }
  }
}

/** The answer to a request without photographs. */
export async function fetched(path, options) {
  const response = await fetch(path, options).catch(() => { throw new Error(GONE); });
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw reasonOf(response.status, content.error || `The server answered ${response.status}`);
  return content;
}

async function asked(path, files) {
  if (!/^[\x20-\x7e]*$/.test(key)) throw new NeedsKey("The API key has a character that no key has. Type it again.");
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name || "pasted");
  try {
    return await fetch(path, { method: "POST", body: form, headers: key ? { "X-API-Key": key } : {} });
  } catch {
    throw new Error(GONE);
  }
}

function reasonOf(status, sentence) {
  const text = `${sentence[0].toUpperCase()}${sentence.slice(1)}.`;
  if (status === 401) return new NeedsKey(text);
  return [400, 413, 422].includes(status) ? new Refused(text) : new Error(text);
}
