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
