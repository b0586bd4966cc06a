// Filters the side-by-side answers; the page is complete without it.
const field = document.querySelector(".find");
const list = document.querySelector(".answers");
field?.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const answer of list.querySelectorAll(".answer")) {
    const text = answer.textContent.toLowerCase();
    answer.hidden = !words.every((word) => text.includes(word));
    shown += !answer.hidden;
  }
  list.classList.toggle("none", shown === 0);
});
