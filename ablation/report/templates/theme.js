// Light, dark, or as the system says.
{
  const button = document.getElementById("theme");
  const themes = {auto: "light dark", light: "light", dark: "dark"};
  const kept = () => { try { return localStorage.getItem("ablation-theme"); } catch { return null; } };
  const wear = (name) => {
    document.documentElement.style.colorScheme = themes[name];
    button.textContent = `theme: ${name}`;
    button.dataset.theme = name;
    try { localStorage.setItem("ablation-theme", name); } catch { /* a page from a disk may keep nothing */ }
  };
  wear(themes[kept()] ? kept() : "auto");
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(themes);
    wear(names[(names.indexOf(button.dataset.theme) + 1) % names.length]);
  });
}
