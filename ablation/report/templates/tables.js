"use strict";
// Click, or Enter on, a column's heading: sort by it; again: the other way round. Equal rows keep their order.
for (const heading of document.querySelectorAll("table.sortable thead th[data-sort]")) {
  const table = heading.closest("table");
  const column = [...heading.parentNode.children].indexOf(heading);
  const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const compare = (a, b) => {
    const x = parseFloat(value(a)), y = parseFloat(value(b));
    if (heading.dataset.sort === "text") return value(a).localeCompare(value(b));
    return (isNaN(x) ? -1 : x) - (isNaN(y) ? -1 : y);
  };
  const sort = () => {
    const descending = heading.getAttribute("aria-sort") === "ascending"
      || (heading.dataset.sort === "number" && !heading.hasAttribute("aria-sort"));
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].sort(compare);
    table.tBodies[0].append(...(descending ? rows.reverse() : rows));
  };
  heading.tabIndex = 0;
  heading.addEventListener("click", sort);
  heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
}

// A search box over all words of a row, and a choice for each column whose heading asks for one.
for (const form of document.querySelectorAll("form[data-filters]")) {
  const table = document.getElementById(form.dataset.filters);
  const rows = [...table.tBodies[0].rows];
  const words = rows.map((row) => `${row.title} ${row.textContent}`.toLowerCase());
  const choices = [];
  for (const heading of table.querySelectorAll("th[data-filter]")) {
    const column = [...heading.parentNode.children].indexOf(heading);
    const levels = [...new Set(rows.map((row) => row.cells[column].textContent))];
    if (levels.length < 2) continue;
    levels.sort((a, b) => a.localeCompare(b, undefined, {numeric: true}));
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...levels.map((level) => new Option(level, level)));
    const label = document.createElement("label");
    label.append(`${heading.textContent} `, select);
    form.insertBefore(label, form.querySelector("output"));
    choices.push([column, select]);
  }
  const apply = () => {
    const wanted = form.querySelector("input").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      const passes = wanted.every((word) => words[place].includes(word))
        && choices.every(([column, select]) => !select.value || row.cells[column].textContent === select.value);
      row.hidden = !passes;
      shown += passes;
    });
    form.querySelector("output").textContent = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
