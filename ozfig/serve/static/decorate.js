// What scripts add to the server's HTML: mathematics, copy buttons on code, tables that scroll, voices.
import { copy, flash } from "./dom.js";
import { offerSpeech } from "./speak.js";

let loading;

export function decorate(root) {
  const all = (selector) => [...root.querySelectorAll(selector), ...(root.matches(selector) ? [root] : [])];
  all(".body pre").forEach(addCopy);
  all(".body table").forEach(wrap);
  const formulas = all(".math:not([data-tex])");
  if (formulas.length) typeset(formulas);
  offerSpeech(root);
}

function addCopy(block) {
  if (block.parentElement.matches(".code")) return;
  const language = block.querySelector("code")?.className.replace("language-", "") ?? "";
  const frame = Object.assign(document.createElement("div"), { className: "code" });
  const bar = Object.assign(document.createElement("div"), { className: "codebar" });
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Copy" });
  button.setAttribute("aria-label", "Copy the code");
  button.addEventListener("click", async () => flash(button, await copy(block.textContent)));
  bar.append(Object.assign(document.createElement("span"), { textContent: language || "code" }), button);
  block.replaceWith(frame);
  frame.append(bar, block);
  block.tabIndex = 0;
}

function wrap(table) {
  if (table.parentElement.matches(".wide")) return;
  const frame = Object.assign(document.createElement("div"), { className: "wide", tabIndex: 0 });
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", "Table");
  table.replaceWith(frame);
  frame.append(table);
}

// TeX becomes MathML, which the browser draws and screen readers read; the converter comes when it is needed
async function typeset(formulas) {
  for (const formula of formulas) formula.dataset.tex = formula.textContent;
  loading ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: "/static/vendor/temml/temml.min.js" });
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  await loading;
  for (const formula of formulas) {
    try {
      const box = document.createElement("span");
      const displayMode = formula.matches(".display");
      // not trusted: no links, no files, no classes; and no formula that grows for ever
      globalThis.temml.render(formula.dataset.tex, box, { displayMode, trust: false, maxSize: [40, 40], maxExpand: 500, throwOnError: true });
      formula.replaceChildren(...box.childNodes);
    } catch {
      formula.classList.add("plain"); // no TeX that can be read: it stays as it was written
    }
  }
}
