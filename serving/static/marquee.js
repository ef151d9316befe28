// The script of the home page: ratings, recommendations, budget estimates, through the public API.
"use strict";

const LOWEST = Number(document.currentScript.dataset.lowest);
const HIGHEST = Number(document.currentScript.dataset.highest);
const STRATEGIES = {
  "personal": "from this person's own history",
  "fold-in": "from the ratings you gave",
  "content": "from what the titles you rated are about: too few people rated them",
  "popular": "what most people watch, until you rate something",
  "mixed": "mostly from ratings; a new title may be among them, and popular ones fill up",
  "none": "nothing fits these filters",
};
const $ = (selector, root = document) => root.querySelector(selector);

function make(tag, attributes = {}, ...children) {
  const node = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

async function request(path, body) {
  const options = body && {
    method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (response.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!response.ok) throw new Error(answer.detail || response.statusText);
  return answer;
}

// --- ratings, kept in this browser ---------------------------------------------------------

const KEPT = "marquee-ratings";
let rated = {};
try { rated = JSON.parse(localStorage.getItem(KEPT)) || {}; } catch { rated = {}; }

function rate(title, stars) {
  if (stars === null) delete rated[title.movie_id];
  else rated[title.movie_id] = {title: title.title, year: title.year, stars};
  try { localStorage.setItem(KEPT, JSON.stringify(rated)); } catch { /* private window */ }
  $("#filters").elements.user.value = "";
  showMine();
  paintStars();
  recommend();
}

function starsFor(title) {
  const node = make("span", {
    class: "stars", role: "slider", tabindex: "0", "aria-label": `Stars for ${title.title}`,
    "aria-valuemin": LOWEST, "aria-valuemax": HIGHEST, "data-movie": title.movie_id,
  });
  const at = event => {
    const box = node.getBoundingClientRect();
    const halves = Math.ceil((event.clientX - box.left) / box.width * 10);
    return Math.min(HIGHEST, Math.max(LOWEST, halves / 2));
  };
  node.addEventListener("mousemove", event => fill(node, at(event)));
  node.addEventListener("mouseleave", () => fill(node, rated[title.movie_id]?.stars));
  node.addEventListener("click", event => {
    const stars = at(event);
    rate(title, rated[title.movie_id]?.stars === stars ? null : stars);
  });
  node.addEventListener("keydown", event => {
    const step = {ArrowRight: .5, ArrowUp: .5, ArrowLeft: -.5, ArrowDown: -.5}[event.key];
    if (!step) return;
    event.preventDefault();
    const stars = (rated[title.movie_id]?.stars ?? 3) + step;
    rate(title, Math.min(HIGHEST, Math.max(LOWEST, stars)));
  });
  fill(node, rated[title.movie_id]?.stars);
  return node;
}

function fill(node, stars) {
  node.style.setProperty("--fill", `${(stars || 0) * 20}%`);
  node.setAttribute("aria-valuenow", stars || 0);
}

function paintStars() {
  for (const node of document.querySelectorAll("#titles .stars")) fill(node, rated[node.dataset.movie]?.stars);
}

function row(title) {
  const about = [title.year || "", (title.genres || []).slice(0, 3).join(", ")].filter(Boolean).join(" · ");
  return make("li", {}, make("span", {class: "name"}, make("b", {}, title.title), " ", make("small", {}, about)), starsFor(title));
}

function showMine() {
  const entries = Object.entries(rated);
  $("#mine").hidden = entries.length === 0;
  $("#mine ul").replaceChildren(...entries.reverse().map(([id, r]) => row({movie_id: id, ...r})));
}

// An id stays text: as a number it would be rounded beyond 2^53.
function ratingsForRequest() {
  return Object.entries(rated).map(([id, r]) => ({movie_id: id, rating: r.stars}));
}

// --- search and recommendations --------------------------------------------------------------

let latestSearch = 0;
async function search(query) {
  const thisSearch = ++latestSearch;
  const answer = await request(`/v1/titles?n=12&q=${encodeURIComponent(query)}`);
  if (thisSearch !== latestSearch) return; // a newer search has started
  const none = make("li", {}, make("span", {class: "note"}, "No title has all these words."));
  $("#titles").replaceChildren(...(answer.titles.length ? answer.titles.map(row) : [none]));
}

let wanted = 0;
async function recommend() {
  if (!$("#filters").reportValidity()) return; // the browser says which field is no year
  const mine = ++wanted;
  const form = $("#filters").elements;
  const filters = {};
  for (const key of ["genre", "year_from", "year_to", "diversity"]) if (form[key].value) filters[key] = form[key].value;
  const user = form.user.value.trim();
  const ratings = ratingsForRequest();
  const note = $("#recommended-by");
  let answer;
  try {
    answer = user
      ? await request(`/v1/users/${encodeURIComponent(user)}/recommendations?${new URLSearchParams({n: 10, ...filters})}`)
      : await request("/v1/recommendations", {ratings, n: 10, ...filters});
  } catch (error) { answer = {recommendations: [], error: error.message}; }
  if (mine !== wanted) return;
  $("#for-whom").textContent = user ? `For ${user}` : ratings.length ? "For you" : "Popular now";
  $("#recommended").replaceChildren(...answer.recommendations.map(recommended));
  note.className = answer.error ? "warning" : "note";
  note.textContent = answer.error || [how(answer, user), answer.ordered_by, answer.known, `bundle ${answer.bundle}`].filter(Boolean).join(" · ");
}

function how(answer, user) {
  if (user && answer.strategy === "popular") return `no ratings of ${user} to go by, so what most people watch`;
  if (user && answer.strategy === "fold-in") return `from the ratings that ${user} gave`;
  return STRATEGIES[answer.strategy] || answer.strategy;
}

function recommended(title) {
  const because = title.because.map(t => t.title).join(", ");
  const about = [title.year || "", title.genres.slice(0, 3).join(", ")].filter(Boolean).join(" · ");
  const hue = [...title.title].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7);
  const poster = make("span", {class: "poster"});
  poster.style.setProperty("--hue", hue); // set here: the page forbids inline styles
  return make("li", {}, poster,
    make("span", {class: "name"}, make("b", {}, title.title), " ", make("small", {}, about),
      make("span", {class: "why"}, why(title, because))),
    make("span", {class: "guess"}, `★ ${title.predicted_rating.toFixed(1)}`, make("small", {}, expected(title))));
}

function expected(title) {
  if (title.low === null) return "expected";
  return title.low === title.high ? `${title.low} stars` : `${title.low} to ${title.high} stars`;
}

function why(title, because) {
  if (title.strategy === "content") return because ? `new to most, and like ${because}` : "new to most";
  return because ? `because of ${because}` : "watched by many";
}

async function keep(event) {
  event.preventDefault();
  const person = `p-${event.target.elements.person.value.replace(/^p-/, "")}`;
  const ratings = ratingsForRequest();
  try {
    const answer = await request(`/v1/users/${encodeURIComponent(person)}/ratings`, {ratings});
    $("#kept").textContent = `Kept ${answer.accepted} as ${person}. They count from now on, and in the next weekly run.`;
  } catch (error) { $("#kept").textContent = error.message; }
}

// --- budget estimates -------------------------------------------------------------------------

// Three significant digits: $950, $1,230, $1.95 million. The unit depends on the rounded amount:
// 999,950 is shown as 1 million.
const UNITS = [[1e6, "million"], [1e9, "billion"], [1e12, "trillion"]];

function dollars(amount) {
  if (!Number.isFinite(amount)) return "unknown";
  const sign = amount < 0 ? "-$" : "$", size = Math.abs(amount);
  const whole = Math.round(Number(size.toPrecision(3)));
  if (whole < 1e6) return sign + whole.toLocaleString("en-US");
  const [one, unit] = UNITS.find(([one]) => Number((size / one).toPrecision(3)) < 1000) || UNITS.at(-1);
  const shown = {minimumSignificantDigits: 3, maximumSignificantDigits: 3};
  return `${sign}${(size / one).toLocaleString("en-US", shown)} ${unit}`;
}

async function estimate(event) {
  event?.preventDefault();
  const form = $("#film").elements;
  const genres = [...document.querySelectorAll("#film [name=genres]:checked")].map(box => box.value);
  const film = {directors: names(form.directors), genres, year: Number(form.year.value), ...further(form)};
  if (!form.unreleased.checked) film.rating = Number(form.rating.value);
  try {
    showEstimate(await request("/v1/budget-estimates", film));
  } catch (error) { $("#estimate").replaceChildren(make("p", {class: "warning"}, error.message)); }
}

function names(input) {
  return input.value.split(",").map(name => name.trim()).filter(Boolean);
}

// The fields of "More is known" that are filled in; a model that reads none of them has no such form.
function further(form) {
  const film = {};
  for (const input of document.querySelectorAll("#film [data-list]")) if (names(input).length) film[input.name] = names(input);
  if (form.runtime?.value) film.runtime = Number(form.runtime.value);
  if (form.certificate?.value.trim()) film.certificate = form.certificate.value.trim();
  if (form.month?.value) film.release_date = `${form.year.value.padStart(4, "0")}-${form.month.value.padStart(2, "0")}`;
  return film;
}

function showEstimate(answer) {
  const notes = answer.notes.map(note => make("li", {}, note));
  $("#estimate").replaceChildren(
    make("h3", {}, answer.strategy[0].toUpperCase() + answer.strategy.slice(1)),
    make("div", {class: "money"}, dollars(answer.median)),
    make("p", {class: "note"}, `four times in five between ${dollars(answer.low)} and ${dollars(answer.high)}, in dollars of ${answer.price_year}`),
    intervalPlot(answer),
    make("h4", {}, `What moves it away from ${answer.contributions[0].feature}, ${dollars(answer.contributions[0].factor)}`),
    contributionsPlot(answer.contributions.slice(1)),
    make("h4", {}, "Nearest films it has seen"), make("ul", {class: "rows"}, ...answer.evidence.map(known)),
    ...costs(answer.missing),
    make("ul", {class: "note"}, ...notes),
    make("p", {class: "note"}, `bundle ${answer.bundle}`));
}

function costs(missing) {
  const dear = missing.filter(one => one.error_ratio >= 1.005);
  if (!dear.length) return [];
  const lines = dear.map(one => make("li", {}, `${one.field.replace("_", " ")}: errors ${((one.error_ratio - 1) * 100).toFixed(1)} % larger without`));
  return [make("h4", {}, "What it would help to know"), make("ul", {class: "note"}, ...lines)];
}

function known(film) {
  const by = film.directors.join(", ");
  return make("li", {}, make("span", {class: "name"}, make("b", {}, film.title), " ", make("small", {}, `${film.year} · ${by}`)),
    make("span", {}, dollars(film.budget)));
}

function svg(height, ...children) {
  return make("svg:svg", {class: "plot", viewBox: `0 0 560 ${height}`, role: "img"}, ...children);
}

function intervalPlot(answer) {
  const low = Math.floor(Math.log10(answer.low)), high = Math.max(low + 1, Math.ceil(Math.log10(answer.high)));
  const x = amount => 10 + 540 * (Math.log10(amount) - low) / (high - low);
  const parts = [make("svg:line", {x1: 10, x2: 550, y1: 26, y2: 26, stroke: "#cfc4b3"})];
  for (let power = low; power <= high; power++) {
    const place = power === low ? "start" : power === high ? "end" : "middle";
    parts.push(make("svg:line", {x1: x(10 ** power), x2: x(10 ** power), y1: 20, y2: 32, stroke: "#cfc4b3"}),
      make("svg:text", {x: x(10 ** power), y: 50, "text-anchor": place, fill: "#6d6273"}, dollars(10 ** power)));
  }
  parts.push(make("svg:line", {x1: x(answer.low), x2: x(answer.high), y1: 26, y2: 26, stroke: "#f2b544", "stroke-width": 12, "stroke-linecap": "round"}),
    make("svg:circle", {cx: x(answer.median), cy: 26, r: 8, fill: "#b3352f"}));
  return svg(56, ...parts);
}

function contributionsPlot(contributions) {
  const shown = contributions.filter(c => Math.abs(c.log10) > 1e-6)
    .sort((a, b) => Math.abs(b.log10) - Math.abs(a.log10)).slice(0, 8);
  const widest = Math.max(.05, ...shown.map(c => Math.abs(c.log10)));
  const parts = [make("svg:line", {x1: 330, x2: 330, y1: 0, y2: shown.length * 28, stroke: "#cfc4b3"})];
  shown.forEach((c, k) => {
    const width = 130 * Math.abs(c.log10) / widest, up = c.log10 > 0;
    parts.push(
      make("svg:text", {x: 0, y: k * 28 + 19, fill: "#241b2b"}, c.feature),
      make("svg:rect", {x: up ? 330 : 330 - width, y: k * 28 + 6, width, height: 17, rx: 4, fill: up ? "#2f7d55" : "#b3352f"}),
      make("svg:text", {x: 560, y: k * 28 + 19, "text-anchor": "end", fill: "#6d6273"}, `× ${c.factor.toFixed(2)}`));
  });
  return svg(Math.max(10, shown.length * 28), ...parts);
}

// --- start ---------------------------------------------------------------------------------

if ($("#titles")) {
  for (const li of document.querySelectorAll("#titles li")) {
    li.append(starsFor({movie_id: li.dataset.movie, title: li.dataset.title, year: li.dataset.year}));
  }
  let pause;
  $("#query").addEventListener("input", event => {
    clearTimeout(pause);
    pause = setTimeout(() => search(event.target.value), 150);
  });
  $("#filters").addEventListener("submit", event => event.preventDefault());
  $("#filters").addEventListener("change", recommend);
  $("#clear").addEventListener("click", () => {
    rated = {};
    try { localStorage.removeItem(KEPT); } catch { /* private window */ }
    showMine(); paintStars(); recommend();
  });
  $("#keep").addEventListener("submit", keep);
  showMine();
  recommend();
}
if ($("#film")) {
  $("#film").addEventListener("submit", estimate);
  $("#film").elements.rating.addEventListener("input", event => {
    $("#rating-shown").textContent = Number(event.target.value).toFixed(1);
  });
  estimate();
}
