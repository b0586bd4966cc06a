// Runs before the page is painted, so that a chosen scheme does not flash. Without a choice the system's counts.
const THEMES = ["auto", "light", "dark"];
const theme = () => (THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
document.documentElement.dataset.theme = theme();
addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (!button) return;
  const name = () => {
    const words = { auto: "as the system", light: "light", dark: "dark" };
    button.title = `Colours: ${words[theme()]}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    localStorage.setItem("theme", THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    document.documentElement.dataset.theme = theme();
    name();
  });
  name();
});
