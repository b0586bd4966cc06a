for (const form of document.querySelectorAll('.filters')) {
  const section = form.closest('section');
  const items = [...section.querySelectorAll('.item')];
  const texts = items.map((item) => item.textContent.toLowerCase());
  const [shown, more, nothing] = ['.title .num', '.more', '.nothing'].map((name) => section.querySelector(name));
  const choices = [...form.querySelectorAll('select')];

  const filter = () => {
    const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = choices.filter((choice) => choice.value);
    let count = 0;
    if (more && (words.length || chosen.length)) more.open = true;
    items.forEach((item, i) => {
      const fits = chosen.every((choice) => item.dataset[choice.name].split(' ').includes(choice.value));
      const visible = fits && words.every((word) => texts[i].includes(word));
      item.hidden = !visible;
      count += visible;
    });
    shown.textContent = count;
    nothing.hidden = count > 0;
  };

  form.hidden = false;
  form.addEventListener('input', filter);
  form.addEventListener('submit', (event) => event.preventDefault());
}
