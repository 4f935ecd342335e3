// What a mark or a square says, at once and on a touch too; without this script browsers show their own tooltips.
{
  const tip = document.getElementById("tip");
  const textOf = (target) => {
    const mark = target.closest(".tip, [title], [data-title]");
    if (!mark) return "";
    const title = mark.querySelector?.(":scope > title");
    if (title) { mark.dataset.title = title.textContent; title.remove(); }
    if (mark.hasAttribute("title")) { mark.dataset.title = mark.getAttribute("title"); mark.removeAttribute("title"); }
    return mark.dataset.title ?? "";
  };
  const show = (event) => {
    const text = event.target instanceof Element ? textOf(event.target) : "";
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const { clientX: x, clientY: y } = event;
    tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${y + 16 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 10 : y + 16}px`;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("pointerdown", show);
  document.addEventListener("scroll", () => { tip.hidden = true; }, {passive: true, capture: true});
}
