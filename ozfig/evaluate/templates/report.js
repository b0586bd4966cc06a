const form = document.querySelector('.filters');
const items = [...document.querySelectorAll('.item')];
const shown = document.getElementById('shown');
const more = document.querySelector('.more');
const nothing = document.querySelector('.nothing');
const texts = items.map((item) => item.textContent.toLowerCase());

function filter() {
  const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  if (more && (words.length || form.moved.value)) more.open = true;
  items.forEach((item, i) => {
    const moved = !form.moved.value || item.dataset.moved.split(' ').includes(form.moved.value);
    const visible = moved && words.every((word) => texts[i].includes(word));
    item.hidden = !visible;
    count += visible;
  });
  shown.textContent = count;
  nothing.hidden = count > 0;
}

form.hidden = false;
form.addEventListener('input', filter);
form.addEventListener('submit', (event) => event.preventDefault());
