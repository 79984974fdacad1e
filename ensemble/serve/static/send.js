// Requests to the API.

let key = "";
export const setKey = (value) => { key = value; };

export class NeedsKey extends Error {}

/** The answer to one file or several; an Error with the server's sentence if there is none. */
export async function send(path, files) {
  const form = new FormData();
  for (const file of [files].flat()) form.append("files", file, file.name || "pasted");
  let response;
  try {
    response = await fetch(path, { method: "POST", body: form, headers: key ? { "X-API-Key": key } : {} });
  } catch {
    throw new Error("The server cannot be reached. Is it still running?");
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const again = response.headers.get("Retry-After");
  const reason = `${content.error || `The server answered ${response.status}`}${again ? ` (in ${again} s)` : ""}`;
  throw new (response.status === 401 ? NeedsKey : Error)(`${reason[0].toUpperCase()}${reason.slice(1)}.`);
}
