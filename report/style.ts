/** How the page looks. All text has 16 px or more; every colour has a twin for the dark. */

/** The style sheet of a report. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfc; --raised: #f3f4f5; --ink: #1b1f24; --quiet: #57606a; --line: #d3d8de;
  --blue: #0a5fc2; --orange: #b5480a; --green: #1a7f37; --purple: #8250df; --red: #c21f29;
  --hit: #2f81f7; --miss: #f0883e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1318; --raised: #1a2027; --ink: #e6edf3; --quiet: #a3adb8; --line: #363d46;
    --blue: #6cb2ff; --orange: #ff9d57; --green: #56d364; --purple: #bc8cff; --red: #ff7b72;
    --hit: #1f6feb; --miss: #bd561d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0 auto; padding: 1.25rem 1rem 4rem; max-width: 78rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  overflow-wrap: break-word;
}
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
h1 { font-size: 1.75rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.375rem; line-height: 1.3; margin-bottom: .5rem; }
h3 { font-size: 1.0625rem; }
p { max-width: 46rem; }
p + p, p + ul, header > * + * { margin-top: .5rem; }
section { margin-top: 2.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
section > p + div, section > p + ul, section > p + table { margin-top: 1rem; }
section > div + div, details { margin-top: 1rem; }
.notes { padding-left: 1.25rem; max-width: 46rem; }
.notes + p, .tiles + p { margin-top: .75rem; }
.kind, .more, caption { color: var(--quiet); }
.file { overflow-wrap: anywhere; }
a { color: var(--blue); }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
summary { cursor: pointer; padding: .5rem 0; font-weight: 600; }

nav { margin-top: 1.5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; }
nav a { display: inline-block; padding: .35rem 0; }

.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .75rem;
  padding-top: .75rem; }
.tiles > div { background: var(--raised); border-radius: .5rem; padding: .75rem .85rem; }
.tiles dt { color: var(--quiet); line-height: 1.3; }
.tiles dd { font-size: 1.35rem; white-space: nowrap; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles .more { display: block; white-space: normal; font-size: 1rem; font-weight: 400; line-height: 1.3; }

.charts { display: grid; gap: 1.5rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21.25rem), 1fr)); }
.charts.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 21.25rem), 30rem)); }
.chart svg[role] { display: block; width: 100%; height: auto; overflow: visible; }
.chart text { font-size: 16px; fill: var(--quiet); }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.25rem; list-style: none; }
.legend li { white-space: nowrap; }
.key { width: 28px; height: 12px; margin-right: .4rem; }
.grid { stroke: var(--line); stroke-width: 1; }
.mark { stroke: var(--quiet); stroke-width: 1.5; stroke-dasharray: 3 4; fill: none; }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
.line.training { stroke: var(--blue); stroke-dasharray: 7 5; }
.line.validation { stroke: var(--orange); }
.line.test { stroke: var(--green); stroke-dasharray: 1 5; }
.line.rate { stroke: var(--purple); }
.dot { stroke: var(--paper); stroke-width: 1; }
.dot.training { fill: var(--blue); } .dot.validation { fill: var(--orange); }
.dot.test { fill: var(--green); } .dot.rate { fill: var(--purple); }
.bar-area { fill: var(--hit); fill-opacity: .55; }
.confidence { stroke: var(--orange); stroke-width: 3; }

.scroll { overflow: auto; max-width: 100%; }
.scroll:has(tbody tr:nth-child(31)) { max-height: 85vh; }
table { border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th { font-weight: 600; text-align: left; }
.numbers th, .numbers td { padding: .35rem .6rem; text-align: right;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
.numbers th:first-child, .words th, .words td { text-align: left; }
.numbers th:first-child, .words td { white-space: normal; }
.numbers th:first-child { padding-left: 0; max-width: 16rem; }
.numbers tbody th, .numbers tfoot th { position: sticky; left: 0; background: var(--paper); }
.named th:first-child, .words th:first-child, .words td:nth-child(2) { min-width: 7rem; }
.words .file { min-width: 9rem; }
thead th { position: sticky; top: 0; background: var(--paper); z-index: 1; }
tfoot th, tfoot td { font-weight: 600; }
.bar { min-width: 5.25rem; background: linear-gradient(to right, color-mix(in srgb, var(--hit) 30%,
  transparent) calc(var(--share) * 100%), transparent 0) no-repeat 0 50% / 100% 70%; }

.matrix th, .matrix td { padding: .25rem .35rem; text-align: center; min-width: 2.4rem; }
.matrix td { border: 1px solid var(--paper); background: var(--raised); }
.matrix .hit { background: color-mix(in srgb, var(--hit) calc(var(--share) * 75%), var(--raised)); }
.matrix .miss {
  background: color-mix(in srgb, var(--miss) calc(var(--share) * 90%), var(--raised)); }
.matrix tbody th { position: sticky; left: 0; z-index: 1; background: var(--paper);
  text-align: right; max-width: 9rem; overflow-wrap: anywhere; padding-right: .5rem;
  line-height: 1.2; }
.matrix thead th { vertical-align: bottom; }
.matrix thead th:first-child { left: 0; z-index: 2; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left;
  max-height: 9rem; overflow-wrap: anywhere; line-height: 1.2; }
.matrix thead .corner { writing-mode: horizontal-tb; transform: none; color: var(--quiet);
  font-weight: 400; white-space: nowrap; }
.beside { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1.5rem 2.5rem; }
.overview { display: block; width: 34rem; max-width: 100%; height: auto;
  shape-rendering: crispEdges; }
.overview .hit { fill: var(--hit); } .overview .miss { fill: var(--miss); }
.frame { fill: none; stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke; }

.cards { display: grid; gap: 1.25rem 1rem; list-style: none; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
.card img { display: block; width: 100%; height: auto; border-radius: .375rem;
  background: var(--raised); }
.cards:has(.wide) { grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
img.small, .sheet img { image-rendering: pixelated; }
.sheet img { display: block; max-width: none; }
.right { color: var(--green); font-weight: 600; }
.wrong { color: var(--red); font-weight: 600; }
.card p { margin: .25rem 0 0; line-height: 1.3; }
.guesses { list-style: none; margin-top: .25rem; }
.guesses li { display: flex; justify-content: space-between; gap: .5rem; line-height: 1.3;
  padding: .15rem .4rem; margin-top: 2px; border-radius: .25rem;
  background: linear-gradient(to right, color-mix(in srgb, var(--hit) 32%, var(--raised))
  calc(var(--share) * 100%), var(--raised) 0); }
.guesses span:first-child { overflow-wrap: anywhere; }
.guesses span:last-child { white-space: nowrap; }

.decisions > div { padding: .5rem 0; border-bottom: 1px solid var(--line); max-width: 46rem; }
.decisions dt { font-weight: 600; }
section > h3 { margin-top: 1.25rem; }
@media print {
  .scroll { max-height: none; overflow: visible; }
  nav { display: none; }
  .card, .chart, tr { break-inside: avoid; }
}
`;
