// Which models answer a new comparison: two or three of them.
import { $ } from "./dom.js";

const boxes = () => [...($("contenders")?.querySelectorAll("input") ?? [])];

export function contenders() {
  const names = boxes().filter((box) => box.checked).map((box) => box.value);
  return names.length > 1 ? names : null;
}

export function watch(changed) {
  const limit = () => {
    const full = boxes().filter((box) => box.checked).length >= 3;
    for (const box of boxes()) box.disabled = full && !box.checked;
    changed();
  };
  $("contenders")?.addEventListener("change", limit);
  limit();
}
