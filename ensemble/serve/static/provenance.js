// What a file says of its origin. It never moves the answer.
import { element } from "./dom.js";

export function provenanceOf(details, result) {
  if (!result.provenance) {
    details.remove();
    return;
  }
  const list = document.createElement("dl");
  for (const [title, text] of result.provenance.facts) list.append(element("dt", title), element("dd", text));
  details.append(element("p", result.provenance.summary), list);
}
