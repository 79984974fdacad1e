// An answer as a file: JSON, or a page that needs nothing else.
import { element } from "./dom.js";

const SIDE = 320;
const STYLE = `body{font:1rem/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#1b1a18;background:#fffefb}
img{max-width:20rem;border-radius:8px}th,td{text-align:left;padding:.2rem 1rem .2rem 0}.bar{display:block;width:10rem;height:.7rem;background:#ddd}
.bar span{display:block;height:100%;background:#666}.note{color:#5d5a53;font-size:.875rem}.curve{width:100%}.curve .band{opacity:.22}
.curve .real{fill:#0b66a8}.curve .fake{fill:#b8450b}.curve .own{fill:none;stroke:#1b1a18;stroke-width:1.8}.curve .axis{fill:none;stroke:#5d5a53}
.curve text{font:11px sans-serif;fill:#5d5a53}summary{font-weight:600}`;

export function saveJson(result, ensemble, caution) {
  save(`${stem(result)}.json`, "application/json", JSON.stringify({ ...result, ensemble, caution, asked: now() }, null, 1));
}

export async function savePage(article, file, result, ensemble, caution) {
  const page = document.implementation.createHTMLDocument(`${result.name}: ${result.verdict}`); // loads nothing
  const copy = page.importNode(article, true);
  for (const left of copy.querySelectorAll("button, input, .patches, .wait, .hear")) left.remove();
  const image = copy.querySelector("img");
  if (image) image.src = await thumbnail(file);
  const asked = `Asked ${now()}; ensemble ${ensemble.name} of ${ensemble.created}, ${ensemble.sha256}.`;
  page.body.append(copy, element("p", caution), element("p", asked, { className: "note" }));
  save(`${stem(result)}.html`, "text/html", `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
${page.querySelector("title").outerHTML}<style>${STYLE}</style></head>${page.body.outerHTML}</html>`);
}

const now = () => new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC";
const stem = (result) => `${result.name.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-") || "photograph"}-answer`;

async function thumbnail(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = element("canvas", "", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.85);
  } catch {
    return "data:,";
  }
}

/** Hand a file to the person who looks at the page. */
export function save(name, type, content) {
  const link = element("a", "", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
