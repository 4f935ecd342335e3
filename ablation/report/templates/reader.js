// Read and compare completions. Texts come from scripts beside the page, one call each: `takeTexts(file, packed JSON)`.
// A text is only ever set as text, never as markup.
{
  const study = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("reader");
  const [asked, told, place] = ["asked", "told", "texts"].map((id) => document.getElementById(id));
  const loaded = new Map();
  const waiting = new Map();
  const NAMES = {correct: "correct", wrong: "wrong", no_answer: "no answer", truncated: "truncated", ungradable: "ungradable"};
  const SIGNS = {correct: "✓", wrong: "✗", no_answer: "∅", truncated: "…", ungradable: "?"};

  const element = (tag, name, ...children) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.append(...children);
    return made;
  };

  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  };
  window.takeTexts = (file, packed) => waiting.get(file)?.resolve(unpack(packed));
  const load = (file) => {
    if (!loaded.has(file)) {
      loaded.set(file, new Promise((resolve, reject) => {
        waiting.set(file, {resolve});
        const script = document.createElement("script");
        script.src = `texts/${file}`;
        script.onerror = () => { loaded.delete(file); reject(new Error(`texts/${file} is not there: keep the folder beside the page`)); };
        document.head.append(script);
      }));
    }
    return loaded.get(file);
  };

  const attemptsOf = async (q, c) => {
    if (c === "" || !study.files[q]?.[c]) return [];
    const chunk = await load(study.files[q][c]);
    return chunk.cells[study.cells[c]] ?? [];
  };

  const marked = (text, wanted) => {
    const found = element("pre");
    let from = 0;
    const lower = wanted ? text.toLowerCase() : "";
    for (let at = wanted ? lower.indexOf(wanted) : -1; at >= 0 && from < 2e5; at = lower.indexOf(wanted, from)) {
      found.append(text.slice(from, at), element("mark", "", text.slice(at, at + wanted.length)));
      from = at + wanted.length;
    }
    found.append(text.slice(from));
    found.tabIndex = 0;
    return found;
  };

  const card = (row, wanted) => {
    if (!row) return element("div", "absent");
    const [attempt, verdict, finish, tokens, extracted, text] = row;
    const head = element("header", "",
      element("strong", verdict, `${SIGNS[verdict] ?? ""} ${NAMES[verdict] ?? verdict}`),
      element("span", "muted", [`#${attempt}`, extracted === null ? "no answer" : `answer ${extracted}`,
        tokens === null ? "" : `${tokens.toLocaleString("en")} tokens`, finish ?? ""].filter(Boolean).join(" · ")));
    return element("article", verdict, head, marked(text, wanted));
  };

  const summary = (q, c) => {
    if (c === "") return "";
    const [correct, all] = [study.correct[c][q], study.attempts[c][q]];
    return `${study.cells[c]}: ${correct} of ${all} correct`;
  };

  let turn = 0;
  const show = async () => {
    const mine = ++turn;
    const {q, a, b, v, t} = Object.fromEntries(new FormData(form));
    const question = study.questions[q];
    if (!question) return;
    asked.replaceChildren(...[
      element("p", "", element("strong", "", question.id), ` · tier ${question.tier}`,
        question.answer === null ? "" : ` · answer ${question.answer}`),
      question.problem === null ? "" : element("pre", "problem", question.problem),
    ].filter(Boolean));
    told.textContent = "loading …";
    try {
      const [left, right] = await Promise.all([attemptsOf(q, a), attemptsOf(q, b)]);
      if (mine !== turn) return;
      const wanted = t.trim().toLowerCase();
      const byAttempt = (rows) => new Map(rows.map((row) => [row[0], row]));
      const [one, two] = [byAttempt(left), byAttempt(right)];
      const numbers = [...new Set([...one.keys(), ...two.keys()])].sort((x, y) => x - y);
      const passes = (row) => row && (!v || v === "differ" || row[1] === v) && (!wanted || row[5].toLowerCase().includes(wanted));
      const kept = numbers.filter((n) => (passes(one.get(n)) || passes(two.get(n)))
        && (v !== "differ" || (one.get(n)?.[1] ?? "") !== (two.get(n)?.[1] ?? "")));
      told.textContent = [summary(q, a), b === "" ? "" : summary(q, b), `${kept.length} of ${numbers.length} attempts shown`]
        .filter(Boolean).join(" · ");
      place.className = b === "" ? "single" : "double";
      const cells = kept.flatMap((n) => b === "" ? [card(one.get(n), wanted)] : [card(one.get(n), wanted), card(two.get(n), wanted)]);
      if (b !== "" && kept.length) cells.unshift(element("h4", "", study.cells[a]), element("h4", "", study.cells[b]));
      place.replaceChildren(...cells);
    } catch (error) {
      if (mine === turn) { told.textContent = String(error.message ?? error); place.replaceChildren(); }
    }
  };

  const keep = () => {
    const state = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) state.set(name, value);
    history.replaceState(null, "", `#read?${state}`);
  };
  const recall = () => {
    if (!location.hash.startsWith("#read?")) return false;
    for (const [name, value] of new URLSearchParams(location.hash.slice(6))) {
      if (form.elements[name]) form.elements[name].value = value;
    }
    document.getElementById("read").scrollIntoView();
    return true;
  };

  if (study?.files.some((files) => files.some(Boolean))) {
    const {q, a, b} = form.elements;
    const tiers = new Map();
    study.questions.forEach((question, place) => {
      if (!tiers.has(question.tier)) {
        const group = document.createElement("optgroup");
        group.label = question.tier;
        tiers.set(question.tier, group);
        q.append(group);
      }
      tiers.get(question.tier).append(new Option(question.id, place));
    });
    const read = study.cells.map((name, place) => [name, place]).filter(([, place]) => study.files.some((files) => files[place]));
    a.append(...read.map(([name, place]) => new Option(name, place)));
    b.append(new Option("nothing", ""), ...read.map(([name, place]) => new Option(name, place)));
    form.hidden = false;
    form.addEventListener("input", () => { keep(); show(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", () => { if (recall()) show(); });
    document.getElementById("map")?.addEventListener("click", (event) => {
      const square = event.target.closest("td");
      if (!square) return;
      const heading = document.querySelectorAll("#map thead th.question")[square.cellIndex - 1];
      q.value = heading.dataset.q;
      a.value = square.parentNode.dataset.c;
      keep();
      document.getElementById("read").scrollIntoView({behavior: "smooth"});
      show();
    });
    const reader = new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting)) { reader.disconnect(); show(); }
    });
    if (recall()) show(); else reader.observe(document.getElementById("read"));
  }
}
