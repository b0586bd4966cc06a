// What can be done with what was said: copy, edit, answer again, judge, correct, prefer, hear.
import { $, ask, call, copy, flash, state, tell } from "./dom.js";
import { put } from "./composer.js";
import { speak } from "./speak.js";
import { isAtEnd, toEnd } from "./stream.js";

const turns = $("turns");

const ACTIONS = {
  copy: async (button, article) => flash(button, await copy(textOf(article))),
  edit: (_, article) => edit(article),
  again: (_, article) => put({ since: Number(article.dataset.message) }),
  speak: (button) => speak(button),
  rate: async (button, article) => {
    const rating = button.getAttribute("aria-pressed") === "true" ? 0 : Number(button.dataset.rating);
    if (!(await judge(article, { rating }))) return;
    for (const one of article.querySelectorAll(".rate")) press(one, rating !== 0 && Number(one.dataset.rating) === rating);
  },
  correct: (_, article) => correct(article),
  prefer: async (button, article) => {
    const preferred = button.getAttribute("aria-pressed") !== "true";
    if (!(await judge(article, { preferred }))) return;
    for (const one of article.closest(".round").querySelectorAll(".prefer")) press(one, preferred && one === button);
  },
};

const press = (button, on) => button.setAttribute("aria-pressed", on);
const textOf = (article) => article.dataset.text ?? article.querySelector(".bubble").textContent;

turns.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const name = button && Object.keys(ACTIONS).find((action) => button.classList.contains(action));
  if (name) ACTIONS[name](button, button.closest("article"));
});

const judge = (article, verdict) =>
  call(`/messages/${article.dataset.message}/feedback`, "POST", verdict).then(() => true, tell);

async function correct(article) {
  const box = article.querySelector(".correction");
  const [field, text] = [$("correction-field"), box.querySelector("p")];
  field.value = text.textContent || article.dataset.text.trim();
  if ((await ask($("correcting"))) !== "keep") return;
  const same = field.value.trim() === article.dataset.text.trim();
  const correction = same ? "" : field.value.trim(); // words that say the same correct nothing
  if (!(await judge(article, { correction }))) return;
  text.textContent = correction;
  box.hidden = !correction;
}

function edit(article) {
  if (state.busy || article.querySelector("form")) return;
  const bubble = article.querySelector(".bubble");
  const form = Object.assign(document.createElement("form"), { className: "editing" });
  const field = Object.assign(document.createElement("textarea"), { value: bubble.textContent, rows: 2 });
  field.setAttribute("aria-label", "Edit the question");
  const [cancel, again] = ["Cancel", "Ask again"].map((textContent) => Object.assign(document.createElement("button"), { textContent }));
  cancel.type = "button";
  again.className = "primary";
  const row = Object.assign(document.createElement("div"), { className: "choice" });
  row.append(cancel, again);
  form.append(field, row);
  article.classList.add("edited");
  article.prepend(form);
  field.focus();
  const leave = () => {
    form.remove();
    article.classList.remove("edited");
    $("question").focus();
  };
  cancel.addEventListener("click", leave);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape") {
      event.stopPropagation();
      leave();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const content = field.value.trim();
    if (content) put({ content, since: Number(article.dataset.message) });
  });
}

export function editLast() {
  const last = [...turns.querySelectorAll(".user")].at(-1);
  if (last && state.kind === "chat") edit(last);
}

export function copyLast() {
  [...turns.querySelectorAll(".answer .copy")].at(-1)?.click();
}

// a citation leads to its card and lights it up
turns.addEventListener("click", (event) => {
  const cite = event.target.closest("a.cite");
  const card = cite && document.getElementById(cite.hash.slice(1));
  if (!card) return;
  event.preventDefault();
  card.closest("details.aside")?.setAttribute("open", "");
  card.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  card.focus({ preventScroll: true });
});

$("thread").addEventListener("scroll", () => ($("latest").hidden = isAtEnd()));
$("latest").addEventListener("click", toEnd);
